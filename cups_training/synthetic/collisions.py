"""Whether footprints overlap: oriented rectangles, separating axes, all times at once.

The traffic sampler refuses every course that would touch another one or anything that stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def overlap(
    centre: Floats,
    heading: Floats,
    half_size: Floats,
    other_centre: Floats,
    other_heading: Floats,
    other_half_size: Floats,
) -> NDArray[np.bool_]:
    """Overlap of rectangles, broadcast over all leading axes.

    Args:
        centre: (..., 2), metres.
        heading: (...), radians.
        half_size: (..., 2), along and across the heading, metres.
        other_centre: of the second rectangles.
        other_heading: of the second rectangles.
        other_half_size: of the second rectangles.

    Returns:
        bool (...).
    """
    between = other_centre - centre
    apart = np.zeros(
        np.broadcast_shapes(between.shape[:-1], np.shape(heading), np.shape(other_heading)),
        np.bool_,
    )
    for direction in (heading, heading + np.pi / 2, other_heading, other_heading + np.pi / 2):
        cos, sin = np.cos(direction), np.sin(direction)
        gap = np.abs(between[..., 0] * cos + between[..., 1] * sin)
        reach = _extent(heading - direction, half_size) + _extent(
            other_heading - direction, other_half_size
        )
        apart |= gap > reach
    return ~apart


def _extent(turn: Floats, half_size: Floats) -> Floats:
    """Half length of a rectangle's shadow on an axis that it is turned against."""
    return np.asarray(
        np.abs(np.cos(turn)) * half_size[..., 0] + np.abs(np.sin(turn)) * half_size[..., 1]
    )
