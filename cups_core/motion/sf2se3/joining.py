"""Joins objects of one run that touch and move as one.

Flow that is wrong over part of a surface (wheels, reflections) makes a motion of its own there;
dense assignment calls it last.
"""

from __future__ import annotations

import numpy as np

from cups_core.motion.region_graph import Integers, RegionGraph, find_root
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import deviations
from cups_core.motion.sf2se3.measured_points import MeasuredPoints
from cups_core.motion.static_evidence import StaticEvidence

# A motion explains another object when its points deviate from it by this share of what they
# deviate from ego-motion.
LARGEST_SHARE = 0.5
FEWEST_POINTS = 5


def join_touching(
    graph: RegionGraph,
    points: MeasuredPoints,
    motions: list[RigidTransform],
    label: Integers,
    weighed: StaticEvidence,
) -> Integers:
    """Labels with those joined that touch and one of which moves as the other does.

    Args:
        graph: P patches.
        points: the points that deviate from ego-motion.
        motions: of the objects 1 to K.
        label: int64 (P,), 0 = static, otherwise 1 to K.
        weighed: holds the ego-motion.
    """
    count = len(motions) + 1
    of_point = label[graph.labels[points.rows, points.columns]]
    labelled = points[of_point > 0]
    of_point = of_point[of_point > 0]
    # Lengths of deviations in sigma from ego-motion (0) and each of the motions.
    length = np.sqrt([deviations(labelled, motion) for motion in (weighed.ego_motion, *motions)])
    share = np.full((count, count), np.inf)
    for number in range(1, count):
        mine = of_point == number
        if mine.sum() >= FEWEST_POINTS:
            medians = np.median(length[:, mine], 1)
            share[number] = medians / max(medians[0], 1e-9)
    one = label[np.repeat(np.arange(len(label)), np.diff(graph.start))]
    other = label[graph.neighbour]
    touch = np.zeros((count, count), np.bool_)
    touch[one, other] = True
    touch[0] = False
    alike = np.minimum(share, share.T) < LARGEST_SHARE
    parent = np.arange(count)
    for a, b in np.argwhere(np.triu(touch & alike, 1)):
        low, high = sorted((find_root(parent, a), find_root(parent, b)))
        parent[high] = low
    roots = np.array([find_root(parent, index) for index in range(count)])
    return roots[label]
