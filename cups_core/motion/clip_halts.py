"""Keeps the masks of objects where nothing was measured of them: they halt, or were missed.

Whole-clip labelling asks it after the vote; it goes through the clip in both directions of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.motion.clip_masks import IdMap, carry
from cups_core.motion.clip_views import SeenFrame
from cups_core.motion.segments import areas_and_boxes
from cups_core.motion.static_flow import predict_static_flow

# A carried mask may have this share of the size that its distance asks for; otherwise the object
# has left, was covered or was lost.
SMALLEST_SHARE, LARGEST_SHARE = 0.65, 1.35
FEWEST_POINTS = 20
# An object that still moves was only missed: longer than for so many frames its mask is not sure.
MISSED_FRAMES = 1
# A halting object's flow differs from that of the static scene by no more, grid steps or share of
# the static flow.
STANDING_STEPS = 0.4
STANDING_SHARE = 0.1


@dataclass(frozen=True)
class _Held:
    """How a track was last measured.

    Attributes:
        index: of the frame.
        area: points of its mask.
        disparity: median, grid steps; 0 = unknown.
    """

    index: int
    area: int
    disparity: float


def held_masks(
    frames: Sequence[SeenFrame], masks: Sequence[IdMap], longest_halt_s: float
) -> list[IdMap]:
    """Masks carried on to frames where their track was not seen: before, after and in between.

    Where both directions of time reach a frame they must agree.

    Args:
        frames: of one unbroken clip.
        masks: per frame, uint16 (h, w), ids where the track was seen.
        longest_halt_s: how long the mask of a standing object is kept, seconds.
    """
    count = len(frames)
    onward = _carried_on(frames, masks, longest_halt_s, range(count))
    back = _carried_on(frames, masks, longest_halt_s, range(count - 1, -1, -1))
    result = []
    for ids, first, second in zip(masks, onward, back, strict=True):
        both = np.intersect1d(first, second)
        out = ids.copy()
        for carried, other in ((first, second), (second, first)):
            taken = (out == 0) & (carried > 0) & (~np.isin(carried, both) | (carried == other))
            out[taken] = carried[taken]
        result.append(out)
    return result


def _carried_on(
    frames: Sequence[SeenFrame], masks: Sequence[IdMap], longest_halt_s: float, order: range
) -> list[IdMap]:
    """Per frame the masks of tracks not seen there, carried in one direction of time."""
    carried = [np.zeros_like(ids) for ids in masks]
    last: dict[int, _Held] = {}
    for previous, index in zip((None, *order[:-1]), order, strict=True):
        if previous is not None and last:
            whole = np.where(masks[previous] > 0, masks[previous], carried[previous])
            here = carry(frames, whole, previous, index)
            if here is not None:
                free = np.where((here > 0) & (masks[index] == 0), here, 0).astype(np.uint16)
                gone = [
                    number
                    for number, (area, _) in areas_and_boxes(free).items()
                    if not _is_held(
                        frames,
                        free == number,
                        area,
                        last[number],
                        (previous, index),
                        longest_halt_s,
                    )
                ]
                free[np.isin(free, [*gone, *np.unique(masks[index])])] = 0
                carried[index] = free
        for number, (area, _) in areas_and_boxes(masks[index]).items():
            disparity = _median_disparity(frames[index], masks[index] == number)
            last[number] = _Held(index, area, disparity)
    return carried


def _is_held(
    frames: Sequence[SeenFrame],
    mask: NDArray[np.bool_],
    area: int,
    last: _Held,
    step: tuple[int, int],
    longest_halt_s: float,
) -> bool:
    disparity = _median_disparity(frames[step[1]], mask)
    nearer = disparity / last.disparity if disparity > 0 and last.disparity > 0 else 1.0
    if area < FEWEST_POINTS or not SMALLEST_SHARE < area / (last.area * nearer**2) < LARGEST_SHARE:
        return False
    if abs(step[1] - last.index) <= MISSED_FRAMES:
        return True
    away_ns = abs(frames[step[1]].stamp_ns - frames[last.index].stamp_ns)
    return away_ns <= longest_halt_s * NANOSECONDS_PER_SECOND and _stands(frames, mask, *step)


def _stands(
    frames: Sequence[SeenFrame], mask: NDArray[np.bool_], previous: int, index: int
) -> bool:
    """Whether the flow of the mask is what ego-motion alone would cause."""
    frame, later = frames[index], frames[max(index, previous)]
    flow = frame.to_past if previous < index else frame.to_future
    ego = later.ego_motion
    if flow is None or ego is None:
        return False
    static = predict_static_flow(
        frame.disparity, frame.rig, ego.inverse() if previous < index else ego
    )[mask]
    known = frame.disparity[mask] > 0
    if not known.any():
        return False
    off = np.median(flow[mask][known] - static[known], axis=0)
    allowed = STANDING_STEPS + STANDING_SHARE * float(np.median(np.hypot(*static[known].T)))
    return bool(np.hypot(*off) < allowed)


def _median_disparity(frame: SeenFrame, mask: NDArray[np.bool_]) -> float:
    disparity = frame.disparity[mask]
    known = disparity[disparity > 0]
    return float(np.median(known)) if len(known) else 0.0
