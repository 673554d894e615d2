"""Which regions are objects that move, by size, speed and evidence; their masks and their table.

Both motion segmenters end here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.object_motion import ObjectMotion
from cups_core.motion.object_shape import complete_shape
from cups_core.motion.scene_flow import SceneFlow
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes, enlarged
from cups_core.motion.static_evidence import StaticEvidence
from cups_core.motion.visible_surface import visible_surface_m2
from cups_core.settings import setting

# Flow is wrong by about this share of the camera's own speed, whatever else the noise says.
EGO_SPEED_SHARE = 0.06
# The middle of a road user is not this far above the camera; a cloud that stereo takes for a
# surface is.
HIGHEST_M = 3.0
# Road users move along the road: more upward speed than this plus a slope's share is noise.
UPWARD_SPEED_MPS = 0.5
LARGEST_SLOPE = 0.2
# With fewer measured points there is no place to speak of.
FEWEST_POINTS = 8


@dataclass(frozen=True)
class ObjectSettings:
    """When a region is reported as a moving object."""

    minimum_speed_mps: float = setting(
        0.6, "slowest speed over ground of a moving object, m/s", minimum=0.0, maximum=20.0
    )
    maximum_speed_mps: float = setting(
        40.0,
        "nothing moves faster over ground, m/s; faster measurements are mismatches",
        minimum=1.0,
        maximum=100.0,
    )
    minimum_evidence: float = setting(
        30.0,
        "mean evidence of a region times the root of its size: larger = fewer, surer objects",
        minimum=0.0,
    )
    minimum_coverage: float = setting(
        0.35, "share of a region that must show motion by itself", minimum=0.0, maximum=1.0
    )
    minimum_explained: float = setting(
        0.3,
        "share of a region's residual flow that one motion in space must explain",
        minimum=0.0,
        maximum=1.0,
    )
    minimum_surface_m2: float = setting(
        0.12, "smallest visible surface of an object, square metres", minimum=0.0
    )
    maximum_surface_m2: float = setting(
        100.0, "largest visible surface of an object, square metres", minimum=0.0
    )


def list_objects(
    scene: SceneFlow,
    weighed: StaticEvidence,
    region: NDArray[np.int64],
    fitted: ObjectMotion,
    interval_s: float,
    settings: ObjectSettings,
    consistency: NDArray[np.float64] | None = None,
) -> MotionSegments:
    """Table and masks of the regions that are objects, ids 1 to N by falling size.

    Args:
        scene: measurements on a grid.
        weighed: evidence against standing still on the same grid.
        region: int64 (h, w), 0 = none, otherwise 1 to R.
        fitted: motion of each region.
        interval_s: time from t to t+1, seconds.
        settings: what is an object.
        consistency: (R + 1,), see `MovingObject`; None where only one attempt was made.
    """
    # Displacements are over ground in the axes of the camera at t+1: turn them back into those at
    # t.
    s, rig, ego = settings, scene.rig, weighed.ego_motion
    count = len(fitted.explained) - 1
    velocity = fitted.displacement_m @ ego.rotation / interval_s
    speed = fitted.distance_m / abs(interval_s)
    slowest = s.minimum_speed_mps + EGO_SPEED_SHARE * float(
        np.linalg.norm(ego.translation_m) / abs(interval_s)
    )
    rows, columns = np.nonzero(region)
    order = np.argsort(region[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    bounds = np.searchsorted(region[rows, columns], np.arange(1, count + 2))
    found: list[tuple[int, float, NDArray[np.float64]]] = []
    for number in range(1, count + 1):
        points = (
            rows[bounds[number - 1] : bounds[number]],
            columns[bounds[number - 1] : bounds[number]],
        )
        area = len(points[0])
        if area < FEWEST_POINTS:
            continue
        evidence = weighed.evidence[points]
        weight = float(evidence.mean() * np.sqrt(area))
        # Most regions end here; what follows is dear. NaN is no evidence.
        if not (
            weight > s.minimum_evidence
            and (evidence > 0.5).mean() > s.minimum_coverage
            and slowest < speed[number] < s.maximum_speed_mps
            and abs(velocity[number, 1]) < UPWARD_SPEED_MPS + LARGEST_SLOPE * speed[number]
            and fitted.explained[number] > s.minimum_explained
        ):
            continue
        measured = weighed.known[points]
        if measured.sum() < FEWEST_POINTS or measured.mean() < 0.2:
            continue
        disparity = weighed.disparity[points][measured].astype(np.float64)
        y, x = (axis[measured] * float(scene.stride) for axis in points)
        depth = rig.focal_baseline / float(np.median(disparity))
        aside, down = (
            (float(np.median(x)) - rig.cx) / rig.fx,
            (float(np.median(y)) - rig.cy) / rig.fy,
        )
        centroid = depth * np.array([aside, down, 1.0])
        # Unmeasured points count as much as measured ones.
        point_px2 = scene.stride**2 / float(measured.mean())
        surface = visible_surface_m2(x, y, disparity, point_px2, rig)
        if s.minimum_surface_m2 < surface < s.maximum_surface_m2 and centroid[1] > -HIGHEST_M:
            found.append((number, weight / (weight + s.minimum_evidence), centroid))
    found.sort(key=lambda item: -int((bounds[1:] - bounds[:-1])[item[0] - 1]))
    return _segments(scene, weighed, region, found, velocity, consistency)


def _segments(
    scene: SceneFlow,
    weighed: StaticEvidence,
    region: NDArray[np.int64],
    found: list[tuple[int, float, NDArray[np.float64]]],
    velocity: NDArray[np.float64],
    consistency: NDArray[np.float64] | None,
) -> MotionSegments:
    """Instance map at image size and table.

    The objects come as (region, score, centroid) by falling size.
    """
    height, width = scene.rig.shape
    kept = np.isin(region, [number for number, _, _ in found])
    region = np.where(kept, region, 0)
    grid = np.zeros(region.shape, np.uint16)
    for index, (number, _, _) in enumerate(found, start=1):
        grid[complete_shape(region, number, weighed) & (grid == 0)] = index
    instances = enlarged(grid, scene.stride, height, width)
    measured = areas_and_boxes(instances)
    objects = tuple(
        MovingObject(
            index,
            score,
            *measured[index],
            centroid,
            velocity[number],
            consistency=math.nan if consistency is None else float(consistency[number]),
        )
        for index, (number, score, centroid) in enumerate(found, start=1)
    )
    return MotionSegments(instances, objects)
