"""The online motion segmenter.

Which parts of the image move by themselves, from one pair of stereo frames.

An object is moving when ego-motion cannot explain it, in units of what flow and disparity are worth
at each point. The online chain and the benchmark call it; it keeps no state, so the same input
gives the same masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.ego_motion import Correspondences, EgoMotion, estimate_ego_motion
from cups_core.motion.ground_plane import find_ground_plane
from cups_core.motion.object_motion import fit_object_motion
from cups_core.motion.object_shape import complete_shape
from cups_core.motion.region_graph import build_region_graph
from cups_core.motion.region_growing import bleeding_regions, grow_regions
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import SceneFlow, StereoMotion, measure_scene_flow
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes, enlarged
from cups_core.motion.static_evidence import StaticEvidence, weigh_static_hypothesis
from cups_core.rig import StereoRig
from cups_core.settings import setting

EGO_MOTION_POINTS = 4000
FEWEST_POINTS = 60
LARGEST_INCONSISTENCY_PX = 1.5
BLEED_RADIUS = 10
# Flow is wrong by about this share of the camera's own speed, whatever else the noise says.
EGO_SPEED_SHARE = 0.06
# The middle of a road user is not this far above the camera; a cloud that stereo takes for a
# surface is.
HIGHEST_M = 3.0
# Road users move along the road: more upward speed than this plus a slope's share is noise.
UPWARD_SPEED_MPS = 0.5
LARGEST_SLOPE = 0.2
REGION_BLEED_RADIUS = 12


@dataclass(frozen=True)
class RegionSettings:
    """When a grown region is reported as a moving object."""

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


@dataclass(frozen=True, eq=False)
class RegionResult:
    """Objects of the first frame of a pair.

    Attributes:
        segments: instance map at image size and table, ids 1 to N by falling size.
        ego_motion: the camera's motion; None where too few points were seen to tell, then there are
            no objects.
        note: why nothing could be decided; empty when it could.
    """

    segments: MotionSegments
    ego_motion: EgoMotion | None
    note: str


def sample_correspondences(scene: SceneFlow) -> Correspondences:
    """Evenly spread grid points with confirmed disparity and consistent flow, for ego-motion."""
    h, w = scene.disparity.shape
    step = max(1, int(np.sqrt(h * w / EGO_MOTION_POINTS)))
    some = (slice(step // 2, None, step), slice(step // 2, None, step))
    columns, rows = scene.pixel_coordinates()
    x, y = np.meshgrid(columns[some[1]], rows[some[0]])
    disparity, error, after = (
        scene.disparity[some],
        scene.flow_error[some],
        scene.next_disparity[some],
    )
    usable = (disparity > 1.0) & (error < LARGEST_INCONSISTENCY_PX)
    pixels = np.stack([x[usable], y[usable]], axis=1).astype(np.float64)
    return Correspondences(
        pixels,
        disparity[usable].astype(np.float64),
        pixels + scene.flow[some][usable],
        np.where(after[usable] > 0, after[usable], np.nan).astype(np.float64),
        np.hypot(0.3, error[usable]).astype(np.float64),
        0.3,
    )


class RegionSegmenter:
    """Finds moving objects by growing regions over stereo depth and residual motion."""

    def __init__(self, settings: RegionSettings = RegionSettings()) -> None:
        self._settings = settings

    def segment(
        self,
        motion: StereoMotion,
        rig: StereoRig,
        interval_s: float,
        previous: RigidTransform | None = None,
        moved_before: NDArray[np.bool_] | None = None,
    ) -> RegionResult:
        """Moving objects of the frame at t.

        Args:
            motion: flow and disparities between t and t+1, at the rig's size.
            rig: calibration.
            interval_s: time from t to t+1, seconds; negative where "t+1" is the earlier frame.
            previous: ego-motion of the pair before, a first guess.
            moved_before: bool (H, W), pixels that flow traces back to a moving object of the pair
                before.

        Raises:
            InputError: the estimates have another size than the rig.
        """
        scene = measure_scene_flow(motion, rig)
        correspondences = sample_correspondences(scene)
        if len(correspondences.pixels) < FEWEST_POINTS:
            empty = MotionSegments(np.zeros(rig.shape, np.uint16), ())
            note = (
                f"only {len(correspondences.pixels)} points have both a disparity and a consistent "
                "flow, "
                f"{FEWEST_POINTS} are needed: is the image dark, blank, blurred or the rig badly "
                "rectified?"
            )
            return RegionResult(empty, None, note)
        ego = estimate_ego_motion(correspondences, rig, previous)
        weighed = weigh_static_hypothesis(
            scene,
            ego.transform,
            find_ground_plane(scene),
            interval_s,
            self._settings.maximum_speed_mps,
            BLEED_RADIUS,
            None if moved_before is None else moved_before[:: scene.stride, :: scene.stride],
        )
        return RegionResult(self._objects(scene, weighed, ego.transform, interval_s), ego, "")

    def _objects(
        self, scene: SceneFlow, weighed: StaticEvidence, ego: RigidTransform, interval_s: float
    ) -> MotionSegments:
        graph = build_region_graph(weighed)
        of_patch, _ = grow_regions(graph)
        of_patch[bleeding_regions(graph, of_patch, REGION_BLEED_RADIUS)[of_patch]] = 0
        count = int(of_patch.max())
        region = of_patch[graph.labels]
        fitted = fit_object_motion(scene, weighed, region, count)
        # Displacements are over ground in the axes of the camera at t+1: turn them back into those
        # at t.
        velocity = fitted.displacement_m @ ego.rotation / interval_s
        speed = np.linalg.norm(velocity, axis=1)
        slowest = self._settings.minimum_speed_mps + EGO_SPEED_SHARE * float(
            np.linalg.norm(ego.translation_m) / abs(interval_s)
        )
        s, rig = self._settings, scene.rig
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
            measured = weighed.known[points]
            if measured.sum() < 8 or measured.mean() < 0.2:
                continue
            depth = rig.focal_baseline / float(np.median(weighed.disparity[points][measured]))
            x, y = (float(np.median(axis[measured])) * scene.stride for axis in points[::-1])
            centroid = depth * np.array([(x - rig.cx) / rig.fx, (y - rig.cy) / rig.fy, 1.0])
            surface = area * scene.stride**2 * depth**2 / (rig.fx * rig.fy)
            evidence = weighed.evidence[points]
            weight = float(evidence.mean() * np.sqrt(area))
            if (
                weight > s.minimum_evidence
                and (evidence > 0.5).mean() > s.minimum_coverage
                and s.minimum_surface_m2 < surface < s.maximum_surface_m2
                and centroid[1] > -HIGHEST_M
                and slowest < speed[number] < s.maximum_speed_mps
                and abs(velocity[number, 1]) < UPWARD_SPEED_MPS + LARGEST_SLOPE * speed[number]
                and fitted.explained[number] > s.minimum_explained
            ):
                found.append((number, weight / (weight + s.minimum_evidence), centroid))
        found.sort(key=lambda item: -int((bounds[1:] - bounds[:-1])[item[0] - 1]))
        return _segments(scene, weighed, region, found, velocity)


def _segments(
    scene: SceneFlow,
    weighed: StaticEvidence,
    region: NDArray[np.int64],
    found: list[tuple[int, float, NDArray[np.float64]]],
    velocity: NDArray[np.float64],
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
        MovingObject(index, score, *measured[index], centroid, velocity[number])
        for index, (number, score, centroid) in enumerate(found, start=1)
    )
    return MotionSegments(instances, objects)
