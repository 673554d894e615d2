"""Assigns every grid point to one of a run's rigid objects or to the static scene.

Points that deviate from ego-motion go to the object that explains them nearby; a random walk over
patches of one surface carries this into textureless interiors (Grady 2006).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.region_graph import Floats, RegionGraph
from cups_core.motion.region_growing import STATIC_PRIOR, spread_evidence
from cups_core.motion.sf2se3.consensus import INLIER_PROBABILITY, deviation, tail
from cups_core.motion.sf2se3.measured_points import Integers, MeasuredPoints
from cups_core.motion.sf2se3.selection import RigidObject
from cups_core.motion.static_evidence import INDIFFERENCE, STRONGEST_EVIDENCE

# An object is expected so far around its points, metres and cells (one sigma).
REACH_M = 0.7
REACH_CELLS = 1.5


@kernel
def _claim(
    camera: Floats,
    static: Floats,
    rotations: Floats,
    translations: Floats,
    near: NDArray[np.float32],
    cell: int,
    rows: Integers,
    columns: Integers,
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
    labels: NDArray[np.int32],
    claims: Floats,
) -> None:
    """Evidence per patch and object: how much better it explains a point than standing still."""
    for n in range(len(rows)):
        best, owner = 0.0, -1
        for k in range(len(rotations)):
            nearness = near[k, rows[n] // cell, columns[n] // cell]
            if nearness < 0.01:
                continue
            squared = deviation(
                camera,
                rotations[k],
                translations[k],
                position[n],
                disparity[n],
                measured[n],
                sigma[n],
                sigma_disparity,
            )
            if tail(squared, not np.isnan(measured[n, 2])) < INLIER_PROBABILITY:
                continue
            odds = (min(static[n], 400.0) - squared - INDIFFERENCE) / INDIFFERENCE
            odds = nearness * min(odds, STRONGEST_EVIDENCE)
            if odds > best:
                best, owner = odds, k
        if owner >= 0:
            claims[owner, labels[rows[n], columns[n]]] += best


def _nearness(
    points: MeasuredPoints, item: RigidObject, shape: tuple[int, int], cell: int, stride: int
) -> NDArray[np.float32]:
    """Two-sided tail probability, per cell, of lying so far from the object's points."""
    height, width = (-(-side // cell) for side in shape)
    empty = np.ones((height, width), np.uint8)
    chosen = item.inliers
    empty[points.rows[chosen] // cell, points.columns[chosen] // cell] = 0
    distance = cv2.distanceTransform(empty, cv2.DIST_L2, 3)
    depth = float(np.median(points.position[chosen, 2]))
    reach = REACH_CELLS + REACH_M * points.rig.fx / depth / (stride * cell)
    scaled = distance / (reach * math.sqrt(2.0))
    # 2 (1 - Phi), by the bound of Chernoff: cheap and close enough for a weight.
    return np.exp(-(scaled**2)).astype(np.float32)


def assign_densely(
    graph: RegionGraph,
    points: MeasuredPoints,
    objects: list[RigidObject],
    dense: MeasuredPoints,
    static: Floats,
    cell: int,
    stride: int,
) -> tuple[NDArray[np.int64], Floats]:
    """Object of each patch.

    Args:
        graph: patches of one surface and one motion, with the evidence against standing still.
        points: the points that the objects were found on.
        objects: K objects of one run.
        dense: all points that deviate from ego-motion.
        static: (M,), squared deviation of these from ego-motion.
        cell: side of a cell of the points, grid points.
        stride: image pixels per grid point.

    Returns:
        int64 (P,), 0 = static, otherwise 1 to K; and float64 (P,), probability of that label.
    """
    count = len(graph.area)
    claims = np.zeros((len(objects), count))
    near = np.stack(
        [_nearness(points, item, graph.labels.shape, cell, stride) for item in objects]
    )
    _claim(
        dense.camera,
        static,
        np.stack([item.motion.rotation for item in objects]),
        np.stack([item.motion.translation_m for item in objects]),
        near,
        cell,
        dense.rows,
        dense.columns,
        dense.position,
        dense.disparity,
        dense.measured,
        dense.sigma,
        dense.sigma_disparity,
        graph.labels,
        claims,
    )
    still = np.maximum(-graph.evidence, 0.0) + STATIC_PRIOR * graph.area
    total = claims.sum(0)
    share = np.stack(
        [
            spread_evidence(
                graph.start, graph.neighbour, graph.coupling, mine, still + total - mine
            )
            for mine in claims
        ]
    )
    owner = share.argmax(0)
    moving = share.sum(0)
    label = np.where(moving > 0.5, owner + 1, 0)
    label[0] = 0
    return label, np.where(label > 0, share.max(0), 1.0 - moving)
