"""Greedy selection of the rigid motions that explain most of what ego-motion leaves unexplained.

All runs of the ensemble go through its rounds together; dense assignment takes what it selects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.region_graph import find_root
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import INLIER_PROBABILITY, soft_inliers
from cups_core.motion.sf2se3.measured_points import Floats, Integers, MeasuredPoints
from cups_core.motion.sf2se3.proposals import (
    LARGEST_CLUSTER,
    TURN_RATE_RAD_S,
    link_rigid_pairs,
    propose_motions,
)
from cups_core.motion.sf2se3.refinement import refine_motions

ROUNDS = 6
PROPOSALS = 100
FAILURES = 2
COMPONENTS_PER_ROUND = 3
MOST_OBJECTS = 10
# Soft inliers that a motion must explain beyond what is explained already.
LEAST_GAIN = 3.0
# Inliers this close, or this close in the image, are pieces of one object.
LINK_M = 1.5
LINK_CELLS = 2.0


@dataclass(frozen=True, eq=False)
class RigidObject:
    """One accepted motion of one run with the points that follow it.

    Attributes:
        motion: takes its points from the camera frame at t to the one at t+1.
        inliers: bool (N,), the points that it explains, in one piece.
    """

    motion: RigidTransform
    inliers: NDArray[np.bool_]


@kernel
def _pieces(
    position: Floats, rows: Integers, columns: Integers, depth_sigma: Floats, reach_cells: float
) -> Integers:
    count = len(position)
    parent = np.arange(count)
    for i in range(count):
        for j in range(i):
            across = (position[i, 0] - position[j, 0]) ** 2 + (position[i, 1] - position[j, 1]) ** 2
            behind = abs(position[i, 2] - position[j, 2])
            if behind > LINK_M + 2.0 * (depth_sigma[i] + depth_sigma[j]):
                continue
            away = (rows[i] - rows[j]) ** 2 + (columns[i] - columns[j]) ** 2
            if across < LINK_M**2 or away <= reach_cells * reach_cells:
                a, b = find_root(parent, i), find_root(parent, j)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    for i in range(count):
        parent[i] = find_root(parent, i)
    return parent


def _split(
    points: MeasuredPoints, inliers: NDArray[np.bool_], cell: int
) -> list[NDArray[np.bool_]]:
    """Pieces of the inliers that lie apart in space (single linkage), largest first."""
    chosen = np.flatnonzero(inliers)
    depth_sigma = points.position[chosen, 2] ** 2 / points.rig.focal_baseline
    roots = _pieces(
        points.position[chosen],
        points.rows[chosen],
        points.columns[chosen],
        depth_sigma * points.sigma_disparity,
        LINK_CELLS * cell,
    )
    _, piece, sizes = np.unique(roots, return_inverse=True, return_counts=True)
    pieces = []
    for number in np.argsort(-sizes, kind="stable")[:COMPONENTS_PER_ROUND]:
        mask = np.zeros(len(inliers), np.bool_)
        mask[chosen[piece == number]] = True
        pieces.append(mask)
    return pieces


def select_motions(
    points: MeasuredPoints,
    cell: int,
    generators: list[np.random.Generator],
    ego_motion: RigidTransform,
    interval_s: float,
) -> list[list[RigidObject]]:
    """Objects of each run, by order of acceptance.

    Args:
        points: one point per cell, none of which ego-motion explains.
        cell: side of a cell, grid points.
        generators: one per run.
        ego_motion: motion of the static scene.
        interval_s: time between the frames, seconds.
    """
    runs, count = len(generators), len(points)
    accepted: list[list[RigidObject]] = [[] for _ in range(runs)]
    if count == 0:
        return accepted
    linked = link_rigid_pairs(points)
    static = soft_inliers(
        points, ego_motion.rotation[None], ego_motion.translation_m[None]
    )[0]
    coverage = np.repeat(static[None], runs, 0)
    failures = np.zeros(runs, np.int64)
    turn_sigma = TURN_RATE_RAD_S * abs(interval_s)
    for _ in range(ROUNDS):
        active = np.flatnonzero(failures < FAILURES)
        if len(active) == 0:
            break
        draws = np.stack(
            [generators[run].random((PROPOSALS, LARGEST_CLUSTER)) for run in active]
        )
        free = coverage[active] < INLIER_PROBABILITY
        rotations, translations = propose_motions(
            points, linked, free, draws, ego_motion, abs(interval_s)
        )
        usable = ~np.isnan(translations[..., 0])
        soft = np.zeros((*usable.shape, count), np.float32)
        soft[usable] = soft_inliers(points, rotations[usable], translations[usable])
        gains = np.maximum(soft - coverage[active][:, None], 0).sum(2)
        best = gains.argmax(1)
        some = (np.arange(len(active)), best)
        failures[active[gains[some] < LEAST_GAIN]] += 1
        going = np.flatnonzero(gains[some] >= LEAST_GAIN)
        if len(going) == 0:
            continue
        some = (going, best[going])
        R, t = refine_motions(
            points,
            rotations[some],
            translations[some],
            (soft[some] > INLIER_PROBABILITY) & free[going],
            ego_motion,
            turn_sigma,
        )
        soft_refined = soft_inliers(points, R, t)
        owners: list[int] = []
        pieces: list[NDArray[np.bool_]] = []
        starts: list[int] = []
        for index, place in enumerate(going):
            inliers = (soft_refined[index] > INLIER_PROBABILITY) & free[place]
            for piece in _split(points, inliers, cell) if inliers.any() else []:
                owners.append(int(active[place]))
                pieces.append(piece)
                starts.append(index)
        if not pieces:
            continue
        R, t = refine_motions(
            points, R[starts], t[starts], np.array(pieces), ego_motion, turn_sigma
        )
        soft_pieces = soft_inliers(points, R, t)
        took = set()
        for index, run in enumerate(owners):
            mine = np.where(pieces[index], soft_pieces[index], 0)
            gain = float(np.maximum(mine - coverage[run], 0).sum())
            if gain < LEAST_GAIN or len(accepted[run]) >= MOST_OBJECTS:
                continue
            took.add(run)
            inliers = mine > INLIER_PROBABILITY
            accepted[run].append(RigidObject(RigidTransform(R[index], t[index]), inliers))
            coverage[run] = np.maximum(coverage[run], mine)
        for place in going:
            if int(active[place]) not in took:
                failures[active[place]] += 1
    return accepted
