"""What every motion segmenter does first, and what it answers.

From one pair of stereo frames: scene flow, ego-motion, evidence against standing still. Region
growing and rigid-motion clustering go on from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.ego_motion import Correspondences, EgoMotion, estimate_ego_motion
from cups_core.motion.ground_plane import find_ground_plane
from cups_core.motion.object_table import ObjectSettings
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import SceneFlow, StereoMotion, measure_scene_flow
from cups_core.motion.segments import MotionSegments
from cups_core.motion.static_evidence import StaticEvidence, weigh_static_hypothesis
from cups_core.rig import StereoRig

EGO_MOTION_POINTS = 4000
FEWEST_POINTS = 60
LARGEST_INCONSISTENCY_PX = 1.5
BLEED_RADIUS = 10


@dataclass(frozen=True, eq=False)
class SegmentationResult:
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


class MotionSegmenter(ABC):
    """Finds what moves by itself between two stereo frames; keeps no state.

    The same input gives the same masks.
    """

    def __init__(self, settings: ObjectSettings) -> None:
        self._limits = settings

    def segment(
        self,
        motion: StereoMotion,
        rig: StereoRig,
        interval_s: float,
        previous: RigidTransform | None = None,
        moved_before: NDArray[np.bool_] | None = None,
    ) -> SegmentationResult:
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
            return SegmentationResult(empty, None, note)
        ego = estimate_ego_motion(correspondences, rig, previous)
        weighed = weigh_static_hypothesis(
            scene,
            ego.transform,
            find_ground_plane(scene),
            interval_s,
            self._limits.maximum_speed_mps,
            BLEED_RADIUS,
            None if moved_before is None else moved_before[:: scene.stride, :: scene.stride],
        )
        segments, note = self._find_objects(motion, scene, weighed, interval_s)
        return SegmentationResult(segments, ego, note)

    @abstractmethod
    def _find_objects(
        self,
        motion: StereoMotion,
        scene: SceneFlow,
        weighed: StaticEvidence,
        interval_s: float,
    ) -> tuple[MotionSegments, str]:
        """Objects and what is to be said about them (see `SegmentationResult.note`)."""
