"""Where the disparity jumps from one surface to another: there, it is worth nothing.

Rigid-motion clustering takes no points from there.
"""

from __future__ import annotations

import cv2
import numpy as np

from cups_core.compiled import kernel
from cups_core.motion.scene_flow import Map, Mask

# Sobel response to the logarithm of the disparity; a step of 5 % gives 0.2.
SMALLEST_EDGE = 0.2
# Edges are kept away from by a square of this side, grid points.
MARGIN = 5
OFFSET_PX = 1e-3


@kernel
def _ridges(gradient_x: Map, gradient_y: Map, magnitude: Map, ridges: Map) -> None:
    """Keeps a magnitude where it exceeds both neighbours along the gradient (0 outside)."""
    height, width = magnitude.shape
    for y in range(height):
        for x in range(width):
            eighth = round(np.arctan2(gradient_y[y, x], gradient_x[y, x]) * (4.0 / np.pi))
            dx = 0 if abs(eighth) == 2 else (1 if abs(eighth) < 2 else -1)
            dy = 0 if eighth % 4 == 0 else (1 if eighth > 0 else -1)
            largest = np.float32(0.0)
            for side in (-1, 1):
                i, j = y + side * dy, x + side * dx
                if 0 <= i < height and 0 <= j < width:
                    largest = max(largest, magnitude[i, j])
            ridges[y, x] = magnitude[y, x] if magnitude[y, x] > largest else np.float32(0.0)


def edge_magnitude(disparity: Map) -> Map:
    """Strength of Canny's edges in the logarithm of a disparity map, thinned, 0 beside them.

    Smoothed with a 5x5 Gaussian of one point (reflected border), 3x3 Sobel gradient (repeated
    border).

    Args:
        disparity: float32 (h, w), pixels, not negative.
    """
    smooth = cv2.GaussianBlur(
        np.log(disparity + np.float32(OFFSET_PX)), (5, 5), 1.0, borderType=cv2.BORDER_REFLECT_101
    )
    gradient_x, gradient_y = (
        cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, borderType=cv2.BORDER_REPLICATE)
        for order in ((1, 0), (0, 1))
    )
    magnitude = np.sqrt(gradient_x**2 + gradient_y**2 + np.float32(1e-6))
    ridges: Map = np.empty_like(magnitude)
    _ridges(gradient_x, gradient_y, magnitude, ridges)
    return ridges


def edge_free(disparity: Map) -> Mask:
    """Points, bool (h, w), with no disparity edge nearby."""
    edges = (edge_magnitude(disparity) > SMALLEST_EDGE).astype(np.uint8)
    return np.asarray(cv2.dilate(edges, np.ones((MARGIN, MARGIN), np.uint8)) == 0)
