"""The points that ego-motion does not explain, the noise where things move, and a sample of them.

Rigid-motion clustering starts from them; all runs of the ensemble share them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.consistency import disparity_consistency, flow_consistency
from cups_core.motion.scene_flow import SceneFlow, StereoMotion
from cups_core.motion.sf2se3.disparity_edges import edge_free
from cups_core.motion.sf2se3.measured_points import Integers, MeasuredPoints, measure_points
from cups_core.motion.sf2se3.noise_scale import truncated_noise_scale
from cups_core.motion.static_evidence import StaticEvidence

# Side of the cells of which each gives one point to cluster, grid points.
CELL = 4
# With more points than this the cells grow: pairs of points are looked at.
MOST_POINTS = 3000
# Larger deviations of the views or directions from each other are mismatches, not noise.
LARGEST_NOISE_PX = 3.0
SMALLEST_SIGMA_PX = 0.05


@dataclass(frozen=True, eq=False)
class Suspects:
    """What deviates from ego-motion.

    Attributes:
        points: M points with a disparity and a flow that can be believed.
        number: int64 (h, w), index of each grid point among them, -1 = none.
        sample: N of them, the most reliable one of each cell.
        cell: side of the cells, grid points.
    """

    points: MeasuredPoints
    number: Integers
    sample: MeasuredPoints
    cell: int


def _noise(deviations: NDArray[np.float32]) -> float:
    """Noise of one of two measurements, pixels, from how much they deviate from each other."""
    scale = float(truncated_noise_scale(deviations[:, None], LARGEST_NOISE_PX)[0])
    return min(max(scale / math.sqrt(2.0), SMALLEST_SIGMA_PX), LARGEST_NOISE_PX)


def find_suspects(motion: StereoMotion, scene: SceneFlow, weighed: StaticEvidence) -> Suspects:
    """Measurements of all grid points that speak against standing still.

    Their noise is measured on them alone: a parked camera sees the static scene twice without any,
    which says nothing about what passes by.

    Args:
        motion: the estimates at image size.
        scene: the same on a grid.
        weighed: evidence against standing still on that grid.
    """
    chosen = weighed.known & weighed.informative & ~weighed.ground & (weighed.evidence > 0)
    grid = slice(None, None, scene.stride)
    flow = flow_consistency(motion.flow_forward, motion.flow_backward)
    stereo = disparity_consistency(motion.disparity, motion.disparity_right)
    flow_error = flow.error_px[grid, grid][chosen]
    points = measure_points(
        scene,
        weighed,
        chosen,
        # The length of a vector has two components.
        _noise(flow_error / np.float32(math.sqrt(2.0))),
        _noise(stereo.error_px[grid, grid][chosen]),
    )
    number = np.full(chosen.shape, -1, np.int64)
    number[chosen] = np.arange(len(points))
    sound = edge_free(weighed.disparity) & flow.agrees[grid, grid] & stereo.agrees[grid, grid]
    cell = CELL
    while True:
        block = points.rows // cell * chosen.shape[1] + points.columns // cell
        # By cell, sound points first, then by the flow's error.
        order = np.lexsort((flow_error, ~sound[chosen], block))
        first = np.unique(block[order], return_index=True)[1]
        if len(first) <= MOST_POINTS:
            return Suspects(points, number, points[order[first]], cell)
        cell += 1
