"""Assigns every patch of the grid to one of a run's rigid objects or to the static scene.

Points that deviate from ego-motion speak for the object that explains them best nearby; a random
walk over the patches (Grady 2006) carries this into textureless interiors. The ensemble calls it
for each run.
"""

from __future__ import annotations

import math

import numpy as np

from cups_core.compiled import kernel
from cups_core.motion.region_graph import Floats, Integers, RegionGraph
from cups_core.motion.region_growing import STATIC_PRIOR, spread_evidence
from cups_core.motion.scene_flow import Map, Mask
from cups_core.motion.sf2se3.consensus import INLIER_PROBABILITY, deviation, deviations, tail
from cups_core.motion.sf2se3.joining import join_touching
from cups_core.motion.sf2se3.selection import RigidObject
from cups_core.motion.sf2se3.spatial_model import expect_in_space
from cups_core.motion.sf2se3.suspects import Suspects
from cups_core.motion.static_evidence import INDIFFERENCE, STRONGEST_EVIDENCE, StaticEvidence

# Objects count up to about three sigma from their points.
LEAST_NEARNESS = 0.01
# What moves beside an object, but as no object does, speaks for it with this weight.
UNEXPLAINED_WEIGHT = 0.5


@kernel
def _claim(
    camera: Floats,
    rotations: Floats,
    translations: Floats,
    nearness: Map,
    expected_disparity: Map,
    depth_reach: Floats,
    cell: int,
    evidence: Map,
    grid_disparity: Map,
    known: Mask,
    labels: Integers,
    number: Integers,
    static: Floats,
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
    claims: Floats,
) -> None:
    """Adds up per object and patch (K, P) how much better it explains the points than rest."""
    for i in range(evidence.shape[0]):
        for j in range(evidence.shape[1]):
            if evidence[i, j] <= 0:
                continue
            n = number[i, j]
            best, owner, nearest, neighbour = 0.0, -1, LEAST_NEARNESS, -1
            for k in range(len(rotations)):
                near = float(nearness[k, i // cell, j // cell])
                if near > LEAST_NEARNESS and known[i, j]:
                    expected = camera[4] / expected_disparity[k, i // cell, j // cell]
                    behind = (camera[4] / grid_disparity[i, j] - expected) / depth_reach[k]
                    near *= math.exp(-0.5 * behind * behind)
                if near > nearest:
                    nearest, neighbour = near, k
                if near < LEAST_NEARNESS or n < 0:
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
                odds = (static[n] - squared - INDIFFERENCE) / INDIFFERENCE
                odds = near * min(odds, STRONGEST_EVIDENCE)
                if odds > best:
                    best, owner = odds, k
            if owner >= 0:
                claims[owner, labels[i, j]] += best
            elif neighbour >= 0:
                claims[neighbour, labels[i, j]] += UNEXPLAINED_WEIGHT * nearest * evidence[i, j]


def assign_densely(
    graph: RegionGraph,
    weighed: StaticEvidence,
    suspects: Suspects,
    objects: list[RigidObject],
    stride: int,
) -> Integers:
    """Object of each patch, int64 (P,): 0 = static, otherwise 1 to K.

    Args:
        graph: patches of one surface and one motion, with the evidence against standing still.
        weighed: that evidence per grid point.
        suspects: the points that deviate from ego-motion.
        objects: K objects of one run, found on the sample of the suspects.
        stride: image pixels per grid point.
    """
    points = suspects.points
    model = expect_in_space(suspects.sample, objects, graph.labels.shape, suspects.cell, stride)
    claims = np.zeros((len(objects), len(graph.area)))
    _claim(
        points.camera,
        np.stack([item.motion.rotation for item in objects]),
        np.stack([item.motion.translation_m for item in objects]),
        model.nearness,
        model.disparity,
        model.depth_reach_m,
        model.cell,
        weighed.evidence,
        weighed.disparity,
        weighed.known,
        graph.labels,
        suspects.number,
        deviations(points, weighed.ego_motion),
        points.position,
        points.disparity,
        points.measured,
        points.sigma,
        points.sigma_disparity,
        claims,
    )
    still = np.maximum(-graph.evidence, 0.0) + STATIC_PRIOR * graph.area
    share = np.stack(
        [
            spread_evidence(
                graph.start, graph.neighbour, graph.coupling, own, still + claims.sum(0) - own
            )
            for own in claims
        ]
    )
    label = np.where(share.sum(0) > 0.5, share.argmax(0) + 1, 0)
    label[0] = 0  # the road
    return join_touching(graph, points, [item.motion for item in objects], label, weighed)
