"""Whether two flows, or two disparities, agree when one is followed and then the other back.

The motion stages take the error as each pixel's measure of trust; the tolerance is that of
Sundaram et al. (ECCV 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError

# Single precision throughout: the maps are, and the kernels run twice as fast.
_ONE = np.float32(1)
_RELATIVE_TOLERANCE = np.float32(0.01)
_ABSOLUTE_TOLERANCE_PX2 = np.float32(0.5)


@dataclass(frozen=True, eq=False)
class Consistency:
    """How far each pixel comes back from where it left.

    Attributes:
        error_px: float32 (H, W), distance between start and return, pixels; NaN where the way
            leaves the image or a value is unknown.
        agrees: bool (H, W), the squared error is under 0.01 (|there|^2 + |back|^2) + 0.5.
    """

    error_px: NDArray[np.float32]
    agrees: NDArray[np.bool_]


def flow_consistency(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> Consistency:
    """Follow `forward`, then `backward`, interpolated where it arrives.

    Pixel centres lie at integers.

    Args:
        forward: float32 (H, W, 2), pixels, x right and y down, from the first to the second image.
        backward: float32 (H, W, 2), from the second to the first.

    Raises:
        InputError: the flows differ in shape, are not float32 (H, W, 2) or are too small.
    """
    for name, flow in (("forward", forward), ("backward", backward)):
        _check(f"{name} flow", flow, (*forward.shape[:2], 2))
    return Consistency(*_flow_there_and_back(forward, backward))


def disparity_consistency(
    there: NDArray[np.float32], back: NDArray[np.float32], towards: int = -1
) -> Consistency:
    """Follow one view's disparity along the row, then the other view's back.

    Args:
        there: float32 (H, W), pixels, 0 = unknown: the view that is judged.
        back: float32 (H, W), the other view.
        towards: -1 when `there` is the left view, whose matches lie to the left, +1 when it is the
            right one.

    Raises:
        InputError: the maps differ in shape, are not float32 (H, W) or are too small.
    """
    for name, disparity in (("first", there), ("second", back)):
        _check(f"{name} disparity", disparity, there.shape[:2])
    return Consistency(*_disparity_there_and_back(there, back, towards))


def _check(name: str, values: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if values.dtype != np.float32 or values.shape != shape or min(shape[:2], default=0) < 2:
        raise InputError(
            f"{name}: expected float32 {shape} of at least 2x2 pixels, "
            f"found {values.dtype} {values.shape}"
        )


@kernel
def _flow_there_and_back(
    forward: NDArray[np.float32], backward: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    height, width = forward.shape[:2]
    error = np.empty((height, width), np.float32)
    agrees = np.empty((height, width), np.bool_)
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        for x in range(width):
            u, v = forward[y, x, 0], forward[y, x, 1]
            to_x, to_y = np.float32(x) + u, np.float32(y) + v
            # Written so that a NaN fails it.
            if not (to_x >= 0 and to_y >= 0 and to_x <= right and to_y <= bottom):
                error[y, x], agrees[y, x] = np.nan, False
                continue
            # The last pixel is the far neighbour of the last but one; unsigned indices spare the
            # test for negative ones.
            i, j = np.uint32(min(int(to_x), width - 2)), np.uint32(min(int(to_y), height - 2))
            a, b = to_x - np.float32(i), to_y - np.float32(j)
            ui = (_ONE - a) * backward[j, i, 0] + a * backward[j, i + 1, 0]
            uj = (_ONE - a) * backward[j + 1, i, 0] + a * backward[j + 1, i + 1, 0]
            vi = (_ONE - a) * backward[j, i, 1] + a * backward[j, i + 1, 1]
            vj = (_ONE - a) * backward[j + 1, i, 1] + a * backward[j + 1, i + 1, 1]
            back_u, back_v = (_ONE - b) * ui + b * uj, (_ONE - b) * vi + b * vj
            squared = (u + back_u) ** 2 + (v + back_v) ** 2
            lengths = u * u + v * v + back_u * back_u + back_v * back_v
            error[y, x] = np.sqrt(squared)
            agrees[y, x] = squared < _RELATIVE_TOLERANCE * lengths + _ABSOLUTE_TOLERANCE_PX2
    return error, agrees


@kernel
def _disparity_there_and_back(
    there: NDArray[np.float32], back: NDArray[np.float32], towards: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    height, width = there.shape
    error = np.empty((height, width), np.float32)
    agrees = np.empty((height, width), np.bool_)
    right, sign = np.float32(width - 1), np.float32(towards)
    for y in range(height):
        for x in range(width):
            error[y, x], agrees[y, x] = np.nan, False
            d = there[y, x]
            to_x = np.float32(x) + sign * d
            if not (d > 0 and to_x >= 0 and to_x <= right):
                continue
            i = np.uint32(min(int(to_x), width - 2))
            a = to_x - np.float32(i)
            b0, b1 = back[y, i], back[y, i + 1]
            # An unknown neighbour spoils the value unless the way ends exactly on the other one.
            if not ((b0 > 0 or a == 1) and (b1 > 0 or a == 0)):
                continue
            b = (_ONE - a) * b0 + a * b1
            squared = (d - b) ** 2
            error[y, x] = abs(d - b)
            tolerance = _RELATIVE_TOLERANCE * (d * d + b * b) + _ABSOLUTE_TOLERANCE_PX2
            agrees[y, x] = squared < tolerance
    return error, agrees
