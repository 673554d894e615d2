"""Flow and disparity of a stereo stream: each image is searched once per direction, matched once.

The online chain takes its measurements from here and judges them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings
from cups_core.motion.estimators import DisparityEstimator, FlowEstimator
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion, working_step
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings
from cups_core.motion.static_flow import predict_static_flow
from cups_core.rig import StereoRig
from cups_core.settings import setting

# Below this mean flow the search needs no start, and a wrong one only disturbs it.
LEAST_EXPECTED_FLOW_PX = 1.0
SPECKLE_PX = 200


@dataclass(frozen=True)
class EstimationSettings:
    """What is compared with what."""

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
class Estimates:
    """What was measured of a frame, at the size that it is worked on.

    Attributes:
        frame: as it came.
        rig: calibration at the working size.
        disparity: float32 (h, w), left view, pixels of the working size, 0 = unknown.
        motion: from this frame to the one before; None where there is none to compare with.
        interval_s: time since the frame before, seconds.
        note: why there is no motion; empty where there is.
    """

    frame: StereoFrame
    rig: StereoRig
    disparity: NDArray[np.float32]
    motion: StereoMotion | None
    interval_s: float
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


class StreamEstimator:
    """Measures each frame of a stream against the one before; frames must come in order of time.

    A gap, a step back in time or another image size starts it afresh.
    """

    def __init__(
        self,
        settings: EstimationSettings,
        flow: FlowEstimator | None = None,
        disparity: DisparityEstimator | None = None,
    ) -> None:
        """Uses DIS flow and semi-global matching unless other estimators are given."""
        self._settings = settings
        self._given = flow, disparity
        self._matching = ThreadPoolExecutor(1, thread_name_prefix="matching")
        self.reset()

    def reset(self) -> None:
        """Forgets the past: the next frame counts as the first."""
        self._last: _WorkingFrame | None = None
        self._last_disparities: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def estimate(self, frame: StereoFrame, ego_motion: RigidTransform | None) -> Estimates:
        """Disparities of this frame, and flow to and from the one before.

        Args:
            frame: the newest frame.
            ego_motion: motion of static points into the frame before, as last known; the flow
                search starts from what it would cause.
        """
        note = self._break(frame)
        if note:
            self.reset()
            self._choose_estimators(frame)
        now = _working_frame(frame)
        last, last_disparities = self._last, self._last_disparities
        # Stereo matching and optical flow do not wait for each other.
        matching = self._matching.submit(self._disparity.disparities, now.left, now.right)
        if last is None or last_disparities is None:
            self._last, self._last_disparities = now, matching.result()
            return Estimates(frame, now.rig, self._last_disparities[0], None, 0.0, note)
        start = _expected_flow(now.rig, last_disparities[0], ego_motion)
        backward = self._flow.flow(now.left, last.left, start[0])
        forward = self._flow.flow(last.left, now.left, start[1])
        disparities = matching.result()
        self._last, self._last_disparities = now, disparities
        interval_s = (frame.stamp_ns - last.frame.stamp_ns) / NANOSECONDS_PER_SECOND
        motion = StereoMotion(backward, forward, *disparities, *last_disparities)
        return Estimates(frame, now.rig, disparities[0], motion, interval_s, "")

    def _choose_estimators(self, frame: StereoFrame) -> None:
        """Estimators for the size that frames of this size are worked on at."""
        step = working_step(*frame.rig.shape)
        range_px = -(-self._settings.disparity_range_px // step // 16) * 16
        self._flow = self._given[0] or DisFlow(DisFlowSettings(finest_scale=0 if step > 1 else 1))
        self._disparity = self._given[1] or SemiGlobalMatching(
            SemiGlobalMatchingSettings(range_px=range_px, downscale=1, speckle_px=SPECKLE_PX)
        )

    def _break(self, frame: StereoFrame) -> str:
        """Why this frame cannot be compared with the one before; empty when it can."""
        if self._last is None:
            return "first frame: motion is known from the second one on"
        gap_s = (frame.stamp_ns - self._last.frame.stamp_ns) / NANOSECONDS_PER_SECOND
        if gap_s <= 0:
            return (
                f"the clock went from {self._last.frame.stamp_ns} ns to {frame.stamp_ns} ns: "
                "started afresh"
            )
        if gap_s > self._settings.maximum_gap_s:
            return (
                f"gap of {gap_s:.2f} s, more than maximum_gap_s = {self._settings.maximum_gap_s}: "
                "started afresh"
            )
        if frame.rig.shape != self._last.frame.rig.shape:
            return (
                f"image size changed from {self._last.frame.rig.shape} to {frame.rig.shape}: "
                "started afresh"
            )
        return ""


def _expected_flow(
    rig: StereoRig, disparity: NDArray[np.float32], ego_motion: RigidTransform | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | tuple[None, None]:
    """Flow to and from the last frame if the camera goes on moving as it did.

    None where it hardly moved.

    The last disparity serves both directions: waiting for the new one would cost more time than
    it brings.
    """
    if ego_motion is None:
        return None, None
    start = predict_static_flow(disparity, rig, ego_motion)
    if np.abs(start).mean() < LEAST_EXPECTED_FLOW_PX:
        return None, None
    return start, predict_static_flow(disparity, rig, ego_motion.inverse())
