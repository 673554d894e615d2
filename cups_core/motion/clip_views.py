"""What each frame of a clip shows against its neighbours in time: the views that tracks start from.

Whole-clip labelling feeds it frame by frame; of each frame only small maps are kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.motion.consistency import disparity_consistency, flow_consistency
from cups_core.motion.estimators import StereoLook, StereoMatcher
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion, working_step
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.segments import MotionSegments, areas_and_boxes
from cups_core.motion.static_flow import predict_static_flow
from cups_core.motion.stream_estimator import LEAST_EXPECTED_FLOW_PX
from cups_core.rig import StereoRig

# With less of the image measured by stereo a frame is black, blank or torn.
LEAST_KNOWN_SHARE = 0.02
# A flow that is no number leads out of every image: no target, no evidence.
NOWHERE_PX = np.float32(6e4)

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class View:
    """Objects of one frame as one other frame shows them.

    Attributes:
        offset: place of the other frame among the judged ones, -1 = the one before.
        segments: on the grid.
    """

    offset: int
    segments: MotionSegments


@dataclass(eq=False)
class SeenFrame:
    """One frame after measuring, on the grid that masks are made on.

    Attributes:
        stamp_ns: stamp of the frame.
        rig: calibration of the grid: K and size in grid points.
        image: uint8 (h, w, 3), the left image on the grid.
        measured: float16 (H', W'), disparity of that image, pixels of its size, 0 = unknown.
        disparity: float32 (h, w), at the grid points, grid steps, 0 = unknown.
        to_past: float32 (h, w, 2), flow to the judged frame before, grid steps; None for the first.
        to_future: float32 (h, w, 2), flow to the next judged frame; None for the last.
        ego_motion: from the judged frame before into this one; None for the first.
        interval_s: time since the judged frame before, seconds; 0 for the first.
        valid_fraction: share of the pixels with confirmed disparity and flow.
        views: what the neighbours show.
    """

    stamp_ns: int
    rig: StereoRig
    image: NDArray[np.uint8]
    measured: NDArray[np.float16]
    disparity: Map
    to_past: Map | None = None
    to_future: Map | None = None
    ego_motion: RigidTransform | None = None
    interval_s: float = 0.0
    valid_fraction: float = 0.0
    views: list[View] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Recent:
    """A frame at the size that it is measured at, kept while later ones look back at it."""

    seen: SeenFrame
    rig: StereoRig
    look: StereoLook[Any]

    @property
    def disparities(self) -> tuple[Map, Map]:
        """Of the left and of the right view."""
        return self.look.disparity, self.look.disparity_right


class ClipViews:
    """Measures the frames of an unbroken clip in order of time and asks the segmenter about each.

    Each frame is judged against the frame before it, the frame after it (unless the past shall do)
    and those further `strides` away: what moves slowly or far away drowns in the noise of one
    interval but not in that of four.
    """

    def __init__(
        self,
        segmenter: MotionSegmenter,
        matcher: StereoMatcher[Any],
        reduction: int,
        strides: tuple[int, ...],
        both_directions: bool,
    ) -> None:
        """Takes the segmenter and the matcher.

        Args:
            segmenter: judges pairs.
            matcher: measures at the size of the images divided by `reduction`.
            reduction: the images are measured at their size divided by this.
            strides: distances in frames of those that are compared, ascending from 1.
            both_directions: whether a frame that has a past is judged against its future as well.
        """
        self._segmenter = segmenter
        self._matcher = matcher
        self._reduction = reduction
        self._strides = strides
        self._both_directions = both_directions
        self._recent: deque[_Recent] = deque(maxlen=max(strides))
        self.frames: list[SeenFrame] = []

    def add(self, frame: StereoFrame) -> str:
        """Measure and judge the next frame.

        Returns:
            Why the frame cannot be judged; then it is left out as if it were not there. Empty when
            it can.
        """
        now = self._measured(frame)
        known = float((now.disparities[0] > 0).mean())
        if known < LEAST_KNOWN_SHARE:
            return (
                f"stereo finds a disparity in {100 * known:.1f} % of the pixels, "
                f"{100 * LEAST_KNOWN_SHARE:.0f} % are needed: is an image dark, blank or torn?"
            )
        for stride in self._strides:
            if stride <= len(self._recent):
                note = self._compare(now, self._recent[-stride], stride)
                if note and stride == 1:
                    return note
        self._recent.append(now)
        self.frames.append(now.seen)
        return ""

    def _measured(self, frame: StereoFrame) -> _Recent:
        height, width = frame.rig.shape
        size = (-(-width // self._reduction), -(-height // self._reduction))
        left, right = (
            np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            for image in (frame.left, frame.right)
        )
        look = self._matcher.look(left, right)
        seen_left, seen_right = (
            np.nan_to_num(found, posinf=0.0, neginf=0.0)
            for found in (look.disparity, look.disparity_right)
        )
        rig = frame.rig.resized(*size)
        step = working_step(*rig.shape)
        grid = _grid_rig(rig, step)
        seen = SeenFrame(
            frame.stamp_ns,
            grid,
            np.asarray(
                cv2.resize(left, (grid.width, grid.height), interpolation=cv2.INTER_AREA), np.uint8
            ),
            seen_left.astype(np.float16),
            np.asarray(seen_left[::step, ::step] / step, np.float32),
        )
        return _Recent(seen, rig, StereoLook(seen_left, seen_right, look.memory))

    def _compare(self, now: _Recent, then: _Recent, stride: int) -> str:
        """Judge both frames of a pair against each other; why that failed, empty if not."""
        step = working_step(*now.rig.shape)
        interval_s = (now.seen.stamp_ns - then.seen.stamp_ns) / NANOSECONDS_PER_SECOND
        start_back, start_forth, guess = self._guess(now, then, stride)
        found_flows = self._matcher.compare(then.look, now.look, start_forth, start_back)
        forth, back = (_sound(flow) for flow in found_flows)
        past = StereoMotion(back, forth, *now.disparities, *then.disparities)
        found = self._segmenter.segment(past, now.rig, -interval_s, guess)
        if found.ego_motion is None:
            return found.note
        ego = found.ego_motion.transform.inverse()
        now.seen.views.append(View(-stride, _on_grid(found.segments, step)))
        if self._both_directions or not then.seen.views:
            future = StereoMotion(forth, back, *then.disparities, *now.disparities)
            found = self._segmenter.segment(future, now.rig, interval_s, ego)
            then.seen.views.append(View(stride, _on_grid(found.segments, step)))
        if stride == 1:
            now.seen.ego_motion = ego
            now.seen.interval_s = interval_s
            now.seen.to_past = np.asarray(back[::step, ::step] / step, np.float32)
            then.seen.to_future = np.asarray(forth[::step, ::step] / step, np.float32)
            agrees = flow_consistency(back, forth).agrees
            agrees &= disparity_consistency(*now.disparities).agrees
            now.seen.valid_fraction = float(agrees.mean())
            if len(self.frames) == 1:
                agrees = flow_consistency(forth, back).agrees
                agrees &= disparity_consistency(*then.disparities).agrees
                then.seen.valid_fraction = float(agrees.mean())
        return ""

    def _guess(
        self, now: _Recent, then: _Recent, stride: int
    ) -> tuple[Map | None, Map | None, RigidTransform | None]:
        """First guesses: flow to the earlier frame, flow from it, motion of static points to it.

        One interval continues the one before; a longer one is put together from short ones.
        """
        step = working_step(*now.rig.shape)
        if stride == 1:
            before = then.seen.ego_motion
            if before is None:
                return None, None, None
            start = predict_static_flow(then.disparities[0], then.rig, before.inverse())
            if np.abs(start).mean() < LEAST_EXPECTED_FLOW_PX:
                return None, None, before.inverse()
            forth = predict_static_flow(then.disparities[0], then.rig, before)
            return start, forth, before.inverse()
        between = [*self.frames[-stride:], now.seen]
        motion = RigidTransform.identity()
        for seen in between[1:]:
            motion = seen.ego_motion.after(motion) if seen.ego_motion else motion
        back = _chained([seen.to_past for seen in between[:0:-1]], step, now.rig.shape)
        forth = _chained([seen.to_future for seen in between[:-1]], step, now.rig.shape)
        return back, forth, motion.inverse()


def _grid_rig(rig: StereoRig, step: int) -> StereoRig:
    """Calibration of every `step`-th pixel; grid point (i, j) lies at pixel (j, i) * step."""
    K = rig.K.copy()
    K[:2] /= step
    return StereoRig(K, rig.baseline_m, -(-rig.width // step), -(-rig.height // step))


def _sound(flow: Map) -> Map:
    """The flow with a way out of the image where it is not a number."""
    return np.where(np.isfinite(flow), flow, NOWHERE_PX)


def _on_grid(segments: MotionSegments, step: int) -> MotionSegments:
    if step == 1:
        return segments
    instances = np.ascontiguousarray(segments.instances[::step, ::step])
    measured = areas_and_boxes(instances)
    objects = tuple(
        replace(item, area_px=measured[item.id][0], box=measured[item.id][1])
        for item in segments.objects
        if item.id in measured
    )
    return MotionSegments(instances, objects)


def _chained(flows: list[Map | None], step: int, shape: tuple[int, int]) -> Map:
    """The flow over several intervals, at image size.

    Where the way leaves the image it goes on with the flow at the border.
    """
    total, *others = (flow for flow in flows if flow is not None)
    columns, rows = np.meshgrid(
        np.arange(total.shape[1], dtype=np.float32), np.arange(total.shape[0], dtype=np.float32)
    )
    for flow in others:
        there = columns + total[..., 0], rows + total[..., 1]
        total = total + cv2.remap(flow, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    full = cv2.resize(
        total * step, (total.shape[1] * step, total.shape[0] * step), interpolation=cv2.INTER_LINEAR
    )
    return np.ascontiguousarray(full[: shape[0], : shape[1]])
