"""Objects in one picture without motion: normalised cuts of its features, in the spirit of MaskCut.

`benchmark.stage1` puts these masks where motion masks would be: the yardstick that says what motion
is worth. It sees the same features and no frame but its own.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

MASKS = 3
MOST_NODES = 2048
# Cells whose codes are less alike than this have no bond but the last one, as in MaskCut.
LEAST_COSINE = 0.15
LAST_BOND = 1e-5
SMALLEST_SHARE = 0.01
MOST_CORNERS = 3
GUIDE_RADIUS_PX = 12
GUIDE_NOISE = 1e-3


def object_masks(codes: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.uint16]:
    """The most salient objects of one picture.

    Args:
        codes: float32 (D, h, w), dense features of any length; compared by angle.
        shape: height and width of the picture, pixels.

    Returns:
        uint16 (H, W), 0 = no object, 1 to 3 in the order of being found.
    """
    nodes = _nodes(codes)
    height, width = nodes.shape[1:]
    affinity = _affinity(nodes.reshape(len(nodes), -1))
    free = np.ones(height * width, bool)
    found = np.zeros((height, width), np.uint16)
    for number in range(1, MASKS + 1):
        if free.sum() < SMALLEST_SHARE * free.size + 2:
            break
        saliency = np.zeros(height * width)
        saliency[free] = _second_eigenvector(affinity[np.ix_(free, free)])
        mask = _object_side(saliency.reshape(height, width), free.reshape(height, width))
        if mask.mean() >= SMALLEST_SHARE:
            found[mask] = number
        free &= ~mask.ravel()
    return np.asarray(
        cv2.resize(found, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint16
    )


def _nodes(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Codes averaged over squares of cells, so that there are at most `MOST_NODES`."""
    _, height, width = codes.shape
    step = 1
    while -(-height // step) * -(-width // step) > MOST_NODES:
        step += 1
    size = (-(-width // step), -(-height // step))
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in codes])


def _affinity(codes: NDArray[np.float32]) -> NDArray[np.float64]:
    unit = codes / np.maximum(np.linalg.norm(codes, axis=0), 1e-12)
    return np.where(unit.T @ unit > LEAST_COSINE, 1.0, LAST_BOND)


def _second_eigenvector(affinity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the normalised cut (D - W) x = l D x; zero where nothing is worth a cut."""
    root = np.sqrt(affinity.sum(axis=1))
    second = len(root) - 2
    values, vectors = eigh(affinity / np.outer(root, root), subset_by_index=[second, second])
    return np.asarray(vectors[:, 0] / root * (values[0] > LAST_BOND))


def _object_side(saliency: NDArray[np.float64], free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The side of the most salient cell, unless it holds most corners; its part around the peak."""
    saliency = np.where(free, saliency - saliency[free].mean(), 0.0)
    if saliency.max() < -saliency.min():
        saliency = -saliency
    corners = np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]
    if (saliency[corners] > 0).sum() >= MOST_CORNERS:
        saliency = -saliency
    _, parts = cv2.connectedComponents((saliency > 0).astype(np.uint8), connectivity=4)
    peak = np.unravel_index(saliency.argmax(), saliency.shape)
    return np.asarray((parts == parts[peak]) & (saliency > 0))


def sharpen(masks: NDArray[np.uint16], image: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Moves the borders of masks to edges of the picture with a guided filter (He et al. 2010).

    Args:
        masks: uint16 (H, W), 0 = none.
        image: uint8 (H, W, 3), RGB.
    """
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    mean = _mean(guide)
    variance = _mean(guide * guide) - mean * mean
    best = np.full(masks.shape, 0.5, np.float32)
    found = np.zeros_like(masks)
    for number in range(1, int(masks.max(initial=0)) + 1):
        mask = (masks == number).astype(np.float32)
        mask_mean = _mean(mask)
        slope = (_mean(guide * mask) - mean * mask_mean) / (variance + GUIDE_NOISE)
        filtered = _mean(slope) * guide + _mean(mask_mean - slope * mean)
        found[filtered > best] = number
        best = np.maximum(best, filtered)
    return found


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * GUIDE_RADIUS_PX + 1
    return np.asarray(cv2.blur(values, (side, side)), np.float32)
