"""The online chain: a stream of stereo frames in, moving objects out, one result per frame.

The vehicle node and the fast offline recipe both run it. The newest frame is the one that is
labelled: its motion is measured against the frame before it, so a result is never older than the
picture that caused it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings
from cups_core.motion.estimators import DisparityEstimator, FlowEstimator
from cups_core.motion.region_segmenter import RegionSegmenter, RegionSettings
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion, working_step
from cups_core.motion.segments import MotionSegments, areas_and_boxes, enlarged
from cups_core.motion.semi_global_matching import (
    SemiGlobalMatching,
    SemiGlobalMatchingSettings,
    enlarge_disparity,
)
from cups_core.motion.static_flow import predict_static_flow
from cups_core.motion.tracking import Tracker, TrackingSettings
from cups_core.rig import StereoRig
from cups_core.settings import setting

# Below this mean flow the search needs no start, and a wrong one only disturbs it.
LEAST_EXPECTED_FLOW_PX = 1.0
SPECKLE_PX = 200


@dataclass(frozen=True)
class OnlineSettings(RegionSettings, TrackingSettings):
    """Every knob of the online chain."""

    disparity_range_px: int = setting(
        128, "largest disparity searched, pixels of the image", minimum=16, maximum=1024
    )
    maximum_gap_s: float = setting(
        0.5,
        "largest time between two frames that are compared, seconds",
        minimum=0.01,
        maximum=10.0,
    )


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


@dataclass(frozen=True, eq=False)
class _WorkingFrame:
    """A frame as it is worked on: gray and small enough to hold the rate."""

    frame: StereoFrame
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    rig: StereoRig


def _working_frame(frame: StereoFrame) -> _WorkingFrame:
    height, width = frame.rig.shape
    step = working_step(height, width)
    size = (-(-width // step), -(-height // step))
    left, right = (
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        for image in (frame.left, frame.right)
    )
    return _WorkingFrame(
        frame, np.asarray(left, np.uint8), np.asarray(right, np.uint8), frame.rig.resized(*size)
    )


class OnlineMotion:
    """Labels each frame of a stereo stream with what moves in it.

    Frames must come in order of time.

    A gap, a step back in time or another image size starts it afresh and is said in the result's
    note.
    """

    def __init__(
        self,
        settings: OnlineSettings = OnlineSettings(),
        flow: FlowEstimator | None = None,
        disparity: DisparityEstimator | None = None,
    ) -> None:
        """Uses DIS flow and semi-global matching unless other estimators are given."""
        self._settings = settings
        self._given = flow, disparity
        self._segmenter = RegionSegmenter(settings)
        self._tracker = Tracker(settings)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="matching")
        self.reset()

    def reset(self) -> None:
        """Forgets the past: the next frame counts as the first."""
        self._last: _WorkingFrame | None = None
        self._last_disparities: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._last_ego: RigidTransform | None = None
        self._tracker.reset()

    def process(self, frame: StereoFrame) -> OnlineResult:
        """Moving objects of this frame, judged against the frame before."""
        note = self._break(frame)
        if note:
            self.reset()
            self._choose_estimators(frame)
        now = _working_frame(frame)
        last, last_disparities = self._last, self._last_disparities
        # Stereo matching and optical flow do not wait for each other.
        matching = self._threads.submit(self._disparity.disparities, now.left, now.right)
        if last is None or last_disparities is None:
            self._last, self._last_disparities = now, matching.result()
            empty = MotionSegments(np.zeros(now.rig.shape, np.uint16), ())
            return self._result(frame, empty, None, note)
        start = self._expected_flow(now.rig, last_disparities[0])
        backward = self._flow.flow(now.left, last.left, start[0])
        forward = self._flow.flow(last.left, now.left, start[1])
        disparities = matching.result()
        carried = self._tracker.propagate(backward, disparities[0])
        interval_s = (frame.stamp_ns - last.frame.stamp_ns) / NANOSECONDS_PER_SECOND
        # Seen from the newest frame, the one before is "next": time runs backward.
        found = self._segmenter.segment(
            StereoMotion(backward, forward, *disparities, *last_disparities),
            now.rig,
            -interval_s,
            self._last_ego,
            carried > 0,
        )
        self._last, self._last_disparities = now, disparities
        self._last_ego = found.ego_motion.transform if found.ego_motion else None
        ego_motion = self._last_ego.inverse() if self._last_ego else RigidTransform.identity()
        segments = self._tracker.update(found.segments, carried, ego_motion, interval_s)
        return self._result(frame, segments, ego_motion, found.note)

    def _choose_estimators(self, frame: StereoFrame) -> None:
        """Estimators for the size that frames of this size are worked on at."""
        step = working_step(*frame.rig.shape)
        range_px = -(-self._settings.disparity_range_px // step // 16) * 16
        self._flow = self._given[0] or DisFlow(DisFlowSettings(finest_scale=0 if step > 1 else 1))
        self._disparity = self._given[1] or SemiGlobalMatching(
            SemiGlobalMatchingSettings(range_px=range_px, downscale=1, speckle_px=SPECKLE_PX)
        )

    def _result(
        self,
        frame: StereoFrame,
        segments: MotionSegments,
        ego_motion: RigidTransform | None,
        note: str,
    ) -> OnlineResult:
        """The frame's result at image size."""
        height, width = frame.rig.shape
        assert self._last_disparities is not None
        disparity = self._last_disparities[0]
        if disparity.shape != frame.rig.shape:
            disparity = enlarge_disparity(disparity, height, width, 1.0)
            instances = enlarged(segments.instances, working_step(height, width), height, width)
            measured = areas_and_boxes(instances)
            objects = tuple(
                replace(item, area_px=measured[item.id][0], box=measured[item.id][1])
                for item in segments.objects
            )
            segments = MotionSegments(instances, objects)
        motion = ego_motion or RigidTransform.identity()
        return OnlineResult(frame.stamp_ns, segments, disparity, motion, note)

    def _expected_flow(
        self, rig: StereoRig, disparity: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | tuple[None, None]:
        """Flow to and from the last frame if the camera goes on moving as it did.

        None where it hardly moved.

        The last disparity serves both directions: waiting for the new one would cost more time than
        it brings.
        """
        if self._last_ego is None:
            return None, None
        start = predict_static_flow(disparity, rig, self._last_ego)
        if np.abs(start).mean() < LEAST_EXPECTED_FLOW_PX:
            return None, None
        return start, predict_static_flow(disparity, rig, self._last_ego.inverse())

    def _break(self, frame: StereoFrame) -> str:
        """Why this frame cannot be compared with the one before; empty when it can."""
        if self._last is None:
            return "first frame: motion is known from the second one on"
        gap_s = (frame.stamp_ns - self._last.frame.stamp_ns) / NANOSECONDS_PER_SECOND
        if gap_s <= 0:
            return f"the clock went from {self._last.frame.stamp_ns} ns to {frame.stamp_ns} ns: started afresh"
        if gap_s > self._settings.maximum_gap_s:
            return f"gap of {gap_s:.2f} s, more than maximum_gap_s = {self._settings.maximum_gap_s}: started afresh"
        if frame.rig.shape != self._last.frame.rig.shape:
            return f"image size changed from {self._last.frame.rig.shape} to {frame.rig.shape}: started afresh"
        return ""
