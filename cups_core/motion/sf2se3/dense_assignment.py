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
from cups_core.motion.region_graph import Floats, RegionGraph, find_root
from cups_core.motion.region_growing import STATIC_PRIOR, spread_evidence
from cups_core.motion.sf2se3.consensus import INLIER_PROBABILITY, deviation, tail
from cups_core.motion.sf2se3.measured_points import Integers, MeasuredPoints
from cups_core.motion.sf2se3.selection import RigidObject
from cups_core.motion.scene_flow import Map, Mask
from cups_core.motion.static_evidence import INDIFFERENCE, STRONGEST_EVIDENCE, StaticEvidence

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
    about: NDArray[np.float32],
    cell: int,
    depth_reach: Floats,
    evidence: Map,
    filled: Map,
    known: Mask,
    number: NDArray[np.int64],
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
    labels: NDArray[np.int32],
    claims: Floats,
    explained: Floats,
) -> None:
    """Evidence per patch and object: how much better it explains a point than standing still."""
    for i in range(evidence.shape[0]):
        for j in range(evidence.shape[1]):
            if evidence[i, j] <= 0:
                continue
            n = number[i, j]
            best, owner, closest, neighbour = 0.0, -1, 0.01, -1
            for k in range(len(rotations)):
                nearness = near[k, i // cell, j // cell]
                if nearness < 0.01:
                    continue
                if known[i, j]:
                    behind = camera[4] / filled[i, j] - camera[4] / about[k, i // cell, j // cell]
                    nearness *= np.exp(-0.5 * (behind / depth_reach[k]) ** 2)
                if nearness > closest:
                    closest, neighbour = nearness, k
                if n < 0:
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
                claims[owner, labels[i, j]] += best
            elif neighbour >= 0:
                # It moves, and no motion explains how: most likely with what moves beside it.
                claims[neighbour, labels[i, j]] += 0.5 * closest * evidence[i, j]


@kernel
def _compare(
    camera: Floats,
    rotations: Floats,
    translations: Floats,
    label: Integers,
    rows: Integers,
    columns: Integers,
    labels: NDArray[np.int32],
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
) -> NDArray[np.float32]:
    """Deviation, in sigma, of each point from each motion (N, K); NaN of static points."""
    result = np.full((len(rows), len(rotations)), np.nan, np.float32)
    for n in range(len(rows)):
        if label[labels[rows[n], columns[n]]] == 0:
            continue
        for k in range(len(rotations)):
            result[n, k] = np.sqrt(
                deviation(
                    camera,
                    rotations[k],
                    translations[k],
                    position[n],
                    disparity[n],
                    measured[n],
                    sigma[n],
                    sigma_disparity,
                )
            )
    return result


def _nearness(
    points: MeasuredPoints, item: RigidObject, shape: tuple[int, int], cell: int, stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Per cell how near the object's points are, and the disparity of the nearest one."""
    height, width = (-(-side // cell) for side in shape)
    empty = np.ones((height, width), np.uint8)
    chosen = np.flatnonzero(item.inliers)
    at = (points.rows[chosen] // cell, points.columns[chosen] // cell)
    empty[at] = 0
    distance, nearest = cv2.distanceTransformWithLabels(
        empty, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    about = np.zeros(len(chosen) + 1, np.float32)
    about[nearest[at]] = points.disparity[chosen]
    depth = float(np.median(points.position[chosen, 2]))
    reach = REACH_CELLS + REACH_M * points.rig.fx / depth / (stride * cell)
    scaled = distance / (reach * math.sqrt(2.0))
    depth_reach = REACH_M + 2 * depth**2 / points.rig.focal_baseline * points.sigma_disparity
    # 2 (1 - Phi), by the bound of Chernoff: cheap and close enough for a weight.
    return np.exp(-(scaled**2)).astype(np.float32), about[nearest], depth_reach


def assign_densely(
    graph: RegionGraph,
    weighed: StaticEvidence,
    points: MeasuredPoints,
    objects: list[RigidObject],
    dense: MeasuredPoints,
    number: NDArray[np.int64],
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
    near, about, reach = (
        np.array(x)
        for x in zip(
            *(_nearness(points, item, graph.labels.shape, cell, stride) for item in objects)
        )
    )
    R = np.stack([item.motion.rotation for item in objects])
    t = np.stack([item.motion.translation_m for item in objects])
    _claim(
        dense.camera,
        static,
        R,
        t,
        near,
        about,
        cell,
        reach,
        weighed.evidence,
        weighed.disparity,
        weighed.known,
        number,
        dense.position,
        dense.disparity,
        dense.measured,
        dense.sigma,
        dense.sigma_disparity,
        graph.labels,
        claims,
        np.zeros(1),
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
    # join
    dev = _compare(dense.camera, R, t, label, dense.rows, dense.columns, graph.labels, dense.position, dense.disparity, dense.measured, dense.sigma, dense.sigma_disparity)
    lab = label[graph.labels[dense.rows, dense.columns]]
    K = len(objects)
    ratio = np.full((K + 1, K + 1), np.inf)
    root = np.sqrt(static)
    for k in range(1, K + 1):
        mine = lab == k
        if mine.sum() < 5:
            continue
        ratio[k, 1:] = np.median(dev[mine], 0) / np.median(root[mine])
    one = label[np.repeat(np.arange(count), np.diff(graph.start))]
    other = label[graph.neighbour]
    contact = np.zeros((K + 1, K + 1))
    np.add.at(contact, (one, other), graph.length)
    parent = np.arange(K + 1)
    for a, b in np.argwhere(np.triu(contact, 1) > 0):
        if a > 0 and min(ratio[a, b], ratio[b, a]) < 0.3:
            x, y = sorted((find_root(parent, a), find_root(parent, b)))
            parent[y] = x
    roots = np.array([find_root(parent, k) for k in range(K + 1)])
    label = roots[label]
    merged = np.zeros((K + 1, count))
    np.add.at(merged, roots[1:], share)
    prob = merged[label, np.arange(count)]
    return label, np.where(label > 0, prob, 1.0 - moving)
