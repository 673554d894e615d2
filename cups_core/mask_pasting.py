"""Lays the small mask of a detection over its box in the image.

The panoptic combination calls it for each detection; no PyTorch is needed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel

LEAST_PROBABILITY = 0.5


def paste(
    mask: NDArray[np.float32], box: NDArray[np.float32], height: int, width: int
) -> tuple[int, int, NDArray[np.bool_]]:
    """The pixels of an image that a mask covers.

    Each pixel reads the mask at its center, bilinearly, with zeros around the mask.

    Args:
        mask: (m, m), probabilities over the box.
        box: (4,), left, top, right, bottom in pixels.
        height, width: of the image.

    Returns:
        Row and column of the first pixel of a part of the image around the box, and bool (h, w):
        whether the mask is at least one half at the pixels of that part.
    """
    left, top = max(math.floor(box[0]) - 1, 0), max(math.floor(box[1]) - 1, 0)
    right, bottom = min(math.ceil(box[2]) + 1, width), min(math.ceil(box[3]) + 1, height)
    covered = np.zeros((max(bottom - top, 0), max(right - left, 0)), np.bool_)
    if covered.size and box[2] > box[0] and box[3] > box[1]:
        _sample(mask, box, top, left, covered)
    return top, left, covered


@kernel
def _sample(mask: Any, box: Any, top: int, left: int, covered: Any) -> None:
    height, width = covered.shape
    for row in range(height):
        y = _place(top + row, box[1], box[3], mask.shape[0])
        for column in range(width):
            x = _place(left + column, box[0], box[2], mask.shape[1])
            covered[row, column] = _read(mask, y, x) >= LEAST_PROBABILITY


@kernel
def _place(pixel: int, start: Any, end: Any, cells: int) -> Any:
    """Where a pixel's center lies in the mask, in cells from the center of the first one."""
    share = (np.float32(pixel) + np.float32(0.5) - start) / (end - start)
    # The detour over -1 to 1 is what PyTorch's sampler does: it decides ties in the same way.
    around = share * np.float32(2) - np.float32(1)
    return ((around + np.float32(1)) * np.float32(cells) - np.float32(1)) / np.float32(2)


@kernel
def _read(mask: Any, y: Any, x: Any) -> Any:
    row, column = math.floor(y), math.floor(x)
    below, beside = y - row, x - column
    total = np.float32(0)
    for down in range(2):
        for right in range(2):
            if 0 <= row + down < mask.shape[0] and 0 <= column + right < mask.shape[1]:
                weight = (below if down else 1 - below) * (beside if right else 1 - beside)
                total += weight * mask[row + down, column + right]
    return total
