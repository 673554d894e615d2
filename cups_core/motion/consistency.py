"""Whether two flows, or two disparities, agree when one is followed and then the other back.

The motion stages take the error as each pixel's measure of trust; the tolerance is that of Sundaram et al. (ECCV 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

RELATIVE_TOLERANCE = 0.01
ABSOLUTE_TOLERANCE_PX2 = 0.5


@dataclass(frozen=True, eq=False)
class Consistency:
    """How far each pixel comes back from where it left.

    Attributes:
        error_px: float32 (H, W), distance between start and return, pixels; NaN where the way leaves the image or
            a value is unknown.
        agrees: bool (H, W), the squared error is under 0.01 (|there|^2 + |back|^2) + 0.5.
    """

    error_px: NDArray[np.float32]
    agrees: NDArray[np.bool_]


def flow_consistency(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> Consistency:
    """Follow `forward`, then `backward` interpolated where it arrives; pixel centres lie at integers.

    Args:
        forward: float32 (H, W, 2), pixels, x right and y down, from the first to the second image.
        backward: float32 (H, W, 2), from the second to the first.

    Raises:
        InputError: the flows differ in shape or are not float32 (H, W, 2).
    """
    for name, flow in (("forward", forward), ("backward", backward)):
        if (
            flow.dtype != np.float32
            or flow.ndim != 3
            or flow.shape[2] != 2
            or flow.shape != forward.shape
        ):
            raise InputError(
                f"{name} flow: expected float32 (H, W, 2) and one size for both, found {flow.dtype} {flow.shape}"
            )
    return Consistency(*_flow_there_and_back(forward, backward))


def disparity_consistency(
    there: NDArray[np.float32], back: NDArray[np.float32], towards: int = -1
) -> Consistency:
    """Follow one view's disparity along the row, then the other view's back.

    Args:
        there: float32 (H, W), pixels, 0 = unknown: the view that is judged.
        back: float32 (H, W), the other view.
        towards: -1 when `there` is the left view, whose matches lie to the left, +1 when it is the right one.

    Raises:
        InputError: the maps differ in shape or are not float32 (H, W).
    """
    for name, disparity in (("first", there), ("second", back)):
        if disparity.dtype != np.float32 or disparity.ndim != 2 or disparity.shape != there.shape:
            raise InputError(
                f"{name} disparity: expected float32 (H, W) and one size for both, "
                f"found {disparity.dtype} {disparity.shape}"
            )
    return Consistency(*_disparity_there_and_back(there, back, towards))


@numba.njit(cache=True, nogil=True)
def _flow_there_and_back(
    forward: NDArray[np.float32], backward: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    height, width = forward.shape[:2]
    error = np.full((height, width), np.float32(np.nan))
    agrees = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            u, v = forward[y, x, 0], forward[y, x, 1]
            to_x, to_y = np.float32(x) + u, np.float32(y) + v
            if not (0 <= to_x <= width - 1 and 0 <= to_y <= height - 1):
                continue
            x0, y0 = min(int(to_x), width - 2), min(int(to_y), height - 2)
            ax, ay = to_x - np.float32(x0), to_y - np.float32(y0)
            w00, w01 = (1 - ay) * (1 - ax), (1 - ay) * ax
            w10, w11 = ay * (1 - ax), ay * ax
            bu = w00 * backward[y0, x0, 0] + w01 * backward[y0, x0 + 1, 0]
            bu += w10 * backward[y0 + 1, x0, 0] + w11 * backward[y0 + 1, x0 + 1, 0]
            bv = w00 * backward[y0, x0, 1] + w01 * backward[y0, x0 + 1, 1]
            bv += w10 * backward[y0 + 1, x0, 1] + w11 * backward[y0 + 1, x0 + 1, 1]
            squared = (u + bu) ** 2 + (v + bv) ** 2
            error[y, x] = np.sqrt(squared)
            tolerance = (
                RELATIVE_TOLERANCE * (u * u + v * v + bu * bu + bv * bv) + ABSOLUTE_TOLERANCE_PX2
            )
            agrees[y, x] = squared < tolerance
    return error, agrees


@numba.njit(cache=True, nogil=True)
def _disparity_there_and_back(
    there: NDArray[np.float32], back: NDArray[np.float32], towards: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    height, width = there.shape
    error = np.full((height, width), np.float32(np.nan))
    agrees = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            d = there[y, x]
            to_x = np.float32(x) + np.float32(towards) * d
            if not (d > 0 and 0 <= to_x <= width - 1):
                continue
            x0 = min(int(to_x), width - 2)
            a = to_x - np.float32(x0)
            b0, b1 = back[y, x0], back[y, x0 + 1]
            # An unknown neighbour spoils the value unless the way ends exactly on the other one.
            if not ((b0 > 0 or a == 1) and (b1 > 0 or a == 0)):
                continue
            b = (1 - a) * b0 + a * b1
            error[y, x] = abs(d - b)
            agrees[y, x] = (d - b) ** 2 < RELATIVE_TOLERANCE * (
                d * d + b * b
            ) + ABSOLUTE_TOLERANCE_PX2
    return error, agrees
