"""Motion pseudo-labels of a whole clip, looked at forward and backward in time.

Offline labelling calls it: an object keeps its mask and id while it halts, before it starts, and in
frames where one pair alone says too little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_core.motion.estimators import DisparityEstimator, FlowEstimator
from cups_core.motion.online import OnlineMotion
from cups_core.motion.region_segmenter import RegionResult, RegionSegmenter
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion
from cups_core.motion.segments import MotionSegments
from cups_core.motion.stream_estimator import EstimationSettings
from cups_core.rig import StereoRig
from cups_core.settings import setting


class PairSegmenter(Protocol):
    """Finds moving objects in one pair of frames, as `RegionSegmenter` does."""

    def segment(
        self,
        motion: StereoMotion,
        rig: StereoRig,
        interval_s: float,
        previous: RigidTransform | None = None,
        moved_before: NDArray[np.bool_] | None = None,
    ) -> RegionResult:
        """Moving objects of the frame at t; see `RegionSegmenter.segment`."""
        ...


@dataclass(frozen=True)
class ClipSettings(EstimationSettings):
    """What a clip's tracks are made of and how far they are carried."""

    propagate: bool = setting(
        True, "carry masks along tracks to frames where the object was not measured"
    )
    longest_halt_s: float = setting(
        2.0,
        "time for which an object that moves at another time keeps its mask while it halts, seconds",
        minimum=0.0,
        maximum=60.0,
    )


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """What the clip tells of one of its frames.

    Attributes:
        stamp_ns: stamp of the frame.
        segments: moving objects in the left image; ids are track ids, one per object of the clip.
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        ego_motion: takes points from the previous camera's frame into this camera's frame; identity
            in the first frame and after a gap.
        valid_fraction: share of the pixels with a disparity that both views confirm and a flow that
            both directions confirm.
        consistency: mean over the shown objects of how well the masks found against the past and
            against the future agree with the shown one (IoU, 0 where a direction found nothing);
            NaN without objects.
        note: why the frame could not be judged; empty when it could.
    """

    stamp_ns: int
    segments: MotionSegments
    disparity: NDArray[np.float32]
    ego_motion: RigidTransform
    valid_fraction: float
    consistency: float
    note: str


class ClipMotion:
    """Labels all frames of a short clip (some tens of frames) at once."""

    def __init__(
        self,
        settings: ClipSettings = ClipSettings(),
        segmenter: PairSegmenter | None = None,
        flow: FlowEstimator | None = None,
        disparity: DisparityEstimator | None = None,
    ) -> None:
        """Uses region growing, DIS flow and semi-global matching unless others are given."""
        self._settings = settings
        self._segmenter = segmenter or RegionSegmenter()
        self._given = flow, disparity

    def label(self, frames: Iterable[StereoFrame]) -> list[FrameMotion]:
        """Moving objects of each frame, judged with all the others in sight.

        Args:
            frames: in order of time; a gap or another image size splits the clip.

        Returns:
            One result per frame, in their order.
        """
        chain = OnlineMotion(flow=self._given[0], disparity=self._given[1])
        found = [chain.process(frame) for frame in frames]
        return [
            FrameMotion(
                item.stamp_ns,
                item.segments,
                item.disparity,
                item.ego_motion,
                float((item.disparity > 0).mean()),
                math.nan,
                item.note,
            )
            for item in found
        ]
