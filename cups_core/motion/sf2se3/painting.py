"""Paints masks into one map, with their holes filled.

The ensemble does so with those that it keeps.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask, bool (h, w), with all that it encloses.

    What the mask and the image border enclose together is no hole: a lorry that reaches from the
    top to the bottom of the image leaves two sides.
    """
    outside = (~mask).astype(np.uint8)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.asarray(~np.isin(parts, border[border > 0]))


def paint(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Map int64 (h, w) of masks (M, h, w): 0 = none, otherwise 1 + the index of the last one."""
    painted = np.zeros(masks.shape[1:], np.int64)
    for number, mask in enumerate(masks, start=1):
        painted[fill_holes(mask)] = number
    return painted
