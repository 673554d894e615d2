"""Motion pseudo-labels of a whole clip, looked at forward and backward in time.

Offline labelling calls it: an object keeps its mask and id while it halts, before it starts, and in
frames where one pair alone says too little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.motion.clip_tracks import (
    TrackSettings,
    clip_masks,
    direction_agreement,
    frame_segments,
)
from cups_core.motion.clip_views import ClipViews, SeenFrame
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings
from cups_core.motion.estimators import EstimatorPair, StereoMatcher
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import working_step
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.segments import MotionSegments, areas_and_boxes, enlarged
from cups_core.motion.semi_global_matching import (
    SemiGlobalMatching,
    SemiGlobalMatchingSettings,
    enlarge_disparity,
)
from cups_core.motion.stream_estimator import SPECKLE_PX, EstimationSettings
from cups_core.rig import StereoRig
from cups_core.settings import setting

ACCURATE_FLOW = DisFlowSettings(
    finest_scale=1, patch_stride=4, search_iterations=12, refinement_iterations=2
)
FAST_FLOW = DisFlowSettings(finest_scale=0)


@dataclass(frozen=True)
class ClipSettings(TrackSettings, EstimationSettings):
    """How a clip is measured, what its tracks are made of and how far they are carried."""

    full_size: bool = setting(
        True,
        "measure flow and disparity at the size of the images; otherwise at the size that holds "
        "the online rate",
    )
    longest_stride: int = setting(
        2,
        "frames are compared with those 1, 2, 4 ... frames away up to this one: slow and far "
        "objects need the longer ones, which find more false ones too",
        minimum=1,
        maximum=16,
    )

    both_directions: bool = setting(
        True,
        "judge each frame against what comes after it as well as against what was before; a "
        "quarter dearer, a quarter more is found",
    )

    @property
    def strides(self) -> tuple[int, ...]:
        """Powers of two up to the longest stride."""
        return tuple(2**power for power in range(self.longest_stride.bit_length()))


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """What the clip tells of one of its frames.

    Attributes:
        stamp_ns: stamp of the frame.
        segments: moving objects in the left image; ids are track ids, one per object of the clip.
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        ego_motion: takes points from the previous camera's frame into this camera's frame; identity
            in the first frame and after a break.
        valid_fraction: share of the pixels with a disparity that both cameras confirm and a flow
            that both directions confirm.
        consistency: mean IoU of the shown masks with what the past alone and the future alone show
            there (0 where one shows nothing); NaN without objects.
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
    """Labels all frames of a short clip (some tens of frames) at once; keeps no state between."""

    def __init__(
        self,
        settings: ClipSettings = ClipSettings(),
        segmenter: MotionSegmenter | None = None,
        matcher: StereoMatcher[Any] | None = None,
    ) -> None:
        """Uses region growing, and DIS flow with semi-global matching, unless others are given."""
        self._settings = settings
        self._segmenter = segmenter or RegionSegmenter()
        self._matcher = matcher

    def label(self, frames: Iterable[StereoFrame]) -> list[FrameMotion]:
        """Moving objects of each frame, judged with all the others in sight.

        A gap, a step back in time or another image size breaks the clip: no track goes across. A
        frame that shows nothing to measure is left out with a note, its neighbours then see each
        other.

        Args:
            frames: in order of time; they are read one by one and not kept.

        Returns:
            One result per frame, in their order.
        """
        runs: list[ClipViews] = []
        rows: list[tuple[StereoRig, int, SeenFrame | None, str]] = []
        last: tuple[tuple[int, int], int] | None = None
        for frame in frames:
            if last is None or self._is_break(last, frame):
                runs.append(self._new_run(frame.rig))
            note = runs[-1].add(frame)
            if not note:
                last = frame.rig.shape, frame.stamp_ns
            rows.append((frame.rig, frame.stamp_ns, None if note else runs[-1].frames[-1], note))
        judged = iter(self._judged(runs))
        return [
            _unjudged(rig, stamp_ns, note)
            if seen is None
            else _at_image_size(rig, seen, *next(judged))
            for rig, stamp_ns, seen, note in rows
        ]

    def _is_break(self, last: tuple[tuple[int, int], int], frame: StereoFrame) -> bool:
        gap_s = (frame.stamp_ns - last[1]) / NANOSECONDS_PER_SECOND
        return not 0 < gap_s <= self._settings.maximum_gap_s or frame.rig.shape != last[0]

    def _new_run(self, rig: StereoRig) -> ClipViews:
        step = working_step(*rig.shape)
        reduction = 1 if self._settings.full_size else step
        range_px = -(-self._settings.disparity_range_px // reduction // 16) * 16
        matcher = self._matcher
        if matcher is None:
            stereo = SemiGlobalMatchingSettings(
                range_px=range_px, downscale=1, speckle_px=SPECKLE_PX
            )
            matcher = EstimatorPair(
                DisFlow(ACCURATE_FLOW if self._settings.full_size else FAST_FLOW),
                SemiGlobalMatching(stereo),
            )
        return ClipViews(
            self._segmenter,
            matcher,
            reduction,
            self._settings.strides,
            self._settings.both_directions,
        )

    def _judged(self, runs: list[ClipViews]) -> Iterator[tuple[MotionSegments, float, str]]:
        """Segments on the grid, consistency and note of every judged frame."""
        last_id = 0
        for run in runs:
            if len(run.frames) == 1:
                empty = MotionSegments(np.zeros(run.frames[0].rig.shape, np.uint16), ())
                yield empty, math.nan, "no other frame near enough in time to compare with"
                continue
            masks, tracks = clip_masks(run.frames, self._settings)
            number_of = {track: last_id + index for index, track in enumerate(tracks, start=1)}
            last_id += len(tracks)
            for index, ids in enumerate(masks):
                found = frame_segments(run.frames, index, ids, tracks, number_of)
                yield found, direction_agreement(run.frames[index].views, found), ""


def _unjudged(rig: StereoRig, stamp_ns: int, note: str) -> FrameMotion:
    empty = MotionSegments(np.zeros(rig.shape, np.uint16), ())
    unknown = np.zeros(rig.shape, np.float32)
    return FrameMotion(stamp_ns, empty, unknown, RigidTransform.identity(), 0.0, math.nan, note)


def _at_image_size(
    rig: StereoRig, seen: SeenFrame, segments: MotionSegments, consistency: float, note: str
) -> FrameMotion:
    height, width = rig.shape
    instances = enlarged(segments.instances, working_step(height, width), height, width)
    measured = areas_and_boxes(instances)
    objects = tuple(
        replace(item, area_px=measured[item.id][0], box=measured[item.id][1])
        for item in segments.objects
    )
    disparity = seen.measured.astype(np.float32)
    if disparity.shape != rig.shape:
        disparity = enlarge_disparity(disparity, height, width, 1.0)
    return FrameMotion(
        seen.stamp_ns,
        MotionSegments(instances, objects),
        disparity,
        seen.ego_motion or RigidTransform.identity(),
        seen.valid_fraction,
        consistency,
        note,
    )
