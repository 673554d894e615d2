"""Where in space a rigid object is to be expected, judged by the points that follow its motion.

Dense assignment weighs with it what a motion explains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.motion.scene_flow import Map
from cups_core.motion.sf2se3.measured_points import MeasuredPoints
from cups_core.motion.sf2se3.selection import RigidObject

# One sigma around an object's points, metres, and in the image so many cells more.
REACH_M = 0.7
REACH_CELLS = 1.5
DEPTH_SIGMAS = 2.0


@dataclass(frozen=True, eq=False)
class SpatialModel:
    """Maps on cells, h' x w', of K objects.

    Attributes:
        nearness: float32 (K, h', w'), 1 at the object's points, falling with the distance in the
            image.
        disparity: float32 (K, h', w'), that of the object's nearest point, pixels.
        depth_reach_m: float64 (K,), by about so much may a point lie behind or before that one.
        cell: side of a cell, grid points.
    """

    nearness: Map
    disparity: Map
    depth_reach_m: NDArray[np.float64]
    cell: int


def expect_in_space(
    points: MeasuredPoints,
    objects: list[RigidObject],
    shape: tuple[int, int],
    cell: int,
    stride: int,
) -> SpatialModel:
    """Spatial models of objects.

    Args:
        points: N points, one per cell.
        objects: K objects on these points.
        shape: (h, w) of the grid.
        cell: side of a cell, grid points.
        stride: image pixels per grid point.
    """
    height, width = (-(-side // cell) for side in shape)
    nearness = np.empty((len(objects), height, width), np.float32)
    disparity = np.empty((len(objects), height, width), np.float32)
    reach = np.empty(len(objects))
    for k, item in enumerate(objects):
        chosen = points[item.inliers]
        at = chosen.rows // cell, chosen.columns // cell
        empty = np.ones((height, width), np.uint8)
        empty[at] = 0
        distance, nearest = cv2.distanceTransformWithLabels(
            empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(len(chosen) + 1, np.float32)
        of_label[nearest[at]] = chosen.disparity
        disparity[k] = of_label[nearest]
        depth = float(np.median(chosen.position[:, 2]))
        sigma = REACH_CELLS + REACH_M * points.rig.fx / depth / (stride * cell)
        nearness[k] = np.exp(-0.5 * (distance / sigma) ** 2)
        reach[k] = math.hypot(REACH_M, DEPTH_SIGMAS * float(np.median(chosen.sigma_depth)))
    return SpatialModel(nearness, disparity, reach, cell)
