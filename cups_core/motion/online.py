"""The online chain: a stream of stereo frames in, moving objects with track ids out.

The vehicle node and the fast offline recipe both run it. The newest frame is the one that is
labelled: its motion is measured against the frame before it, so a result is never older than the
picture that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_core.motion.estimators import DisparityEstimator, FlowEstimator
from cups_core.motion.object_table import ObjectSettings
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import working_step
from cups_core.motion.segments import MotionSegments, areas_and_boxes, enlarged
from cups_core.motion.semi_global_matching import enlarge_disparity
from cups_core.motion.stream_estimator import Estimates, EstimationSettings, StreamEstimator
from cups_core.motion.tracking import Tracker, TrackingSettings


@dataclass(frozen=True)
class OnlineSettings(ObjectSettings, TrackingSettings, EstimationSettings):
    """Every knob of the online chain."""


@dataclass(frozen=True, eq=False)
class OnlineResult:
    """What the online chain knows of the newest frame.

    Attributes:
        stamp_ns: stamp of the labelled frame.
        segments: moving objects in the left image; ids are track ids.
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        ego_motion: takes points from the previous camera's frame into this camera's frame.
        note: why the frame could not be judged (first frame, gap, too few points); empty when it
            was.
    """

    stamp_ns: int
    segments: MotionSegments
    disparity: NDArray[np.float32]
    ego_motion: RigidTransform
    note: str


class OnlineMotion:
    """Labels each frame of a stereo stream with what moves in it; frames come in order of time.

    A gap, a step back in time or another image size starts it afresh and is said in the result's
    note. `process` does all for one frame; who has two threads may instead `estimate` one frame
    while the one before is judged, as long as both see the frames in the same order.
    """

    def __init__(
        self,
        settings: OnlineSettings = OnlineSettings(),
        flow: FlowEstimator | None = None,
        disparity: DisparityEstimator | None = None,
    ) -> None:
        """Uses DIS flow and semi-global matching unless other estimators are given."""
        self._estimator = StreamEstimator(settings, flow, disparity)
        self._segmenter = RegionSegmenter(settings)
        self._tracker = Tracker(settings)
        self.reset()

    def reset(self) -> None:
        """Forgets the past: the next frame counts as the first."""
        self._estimator.reset()
        self._tracker.reset()
        self._last_ego: RigidTransform | None = None

    def process(self, frame: StereoFrame) -> OnlineResult:
        """Moving objects of this frame, judged against the frame before."""
        return self.judge(self.estimate(frame))

    def estimate(self, frame: StereoFrame) -> Estimates:
        """What there is to measure of this frame; the first half of `process`."""
        return self._estimator.estimate(frame, self._last_ego)

    def judge(self, estimates: Estimates) -> OnlineResult:
        """What moves in the frame that was measured; the second half of `process`."""
        if estimates.motion is None:
            self._tracker.reset()
            self._last_ego = None
            empty = MotionSegments(np.zeros(estimates.rig.shape, np.uint16), ())
            return _at_image_size(estimates, empty, RigidTransform.identity(), estimates.note)
        carried = self._tracker.propagate(estimates.motion.flow_forward, estimates.disparity)
        # Seen from the newest frame, the one before is "next": time runs backward.
        found = self._segmenter.segment(
            estimates.motion, estimates.rig, -estimates.interval_s, self._last_ego, carried > 0
        )
        self._last_ego = found.ego_motion.transform if found.ego_motion else None
        ego_motion = self._last_ego.inverse() if self._last_ego else RigidTransform.identity()
        segments = self._tracker.update(found.segments, carried, ego_motion, estimates.interval_s)
        return _at_image_size(estimates, segments, ego_motion, found.note)


def _at_image_size(
    estimates: Estimates, segments: MotionSegments, ego_motion: RigidTransform, note: str
) -> OnlineResult:
    disparity = estimates.disparity
    height, width = estimates.frame.rig.shape
    if disparity.shape != (height, width):
        disparity = enlarge_disparity(disparity, height, width, 1.0)
        instances = enlarged(segments.instances, working_step(height, width), height, width)
        measured = areas_and_boxes(instances)
        objects = tuple(
            replace(item, area_px=measured[item.id][0], box=measured[item.id][1])
            for item in segments.objects
        )
        segments = MotionSegments(instances, objects)
    return OnlineResult(estimates.frame.stamp_ns, segments, disparity, ego_motion, note)
