"""The one way in which hot loops are compiled; every kernel of the library wears this decorator.

Numba compiles on first use and keeps the result on disk, so a vehicle needs no compiler.
"""

from __future__ import annotations

import functools
import math

import numba as nb

# Division by zero follows IEEE 754 (no check), and products and sums may be fused; NaN and infinity
# keep their meaning, since they stand for what was not measured.
kernel = functools.partial(
    nb.njit,
    cache=True,
    nogil=True,
    error_model="numpy",
    fastmath={"contract", "arcp", "nsz"},
)()


@kernel
def length(x: float, y: float) -> float:
    """Length of a vector in the plane; several times faster than hypot, but it may overflow."""
    return math.sqrt(x * x + y * y)
