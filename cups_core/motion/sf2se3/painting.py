"""Paints the masks that the ensemble keeps into one map, with their holes filled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask, bool (h, w), and everything that it cuts off from the largest part outside."""
    outside = (~mask).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    if count == 1:
        return mask
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(parts != largest)


def paint(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Map int64 (h, w) of masks (M, h, w): 0 = none, otherwise 1 + the index of the last one."""
    painted = np.zeros(masks.shape[1:], np.int64)
    for number, mask in enumerate(masks, start=1):
        painted[fill_holes(mask)] = number
    return painted
