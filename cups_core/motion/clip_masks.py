"""Masks of tracks carried through a clip by flow: voted where neighbours measured, held elsewhere.

Whole-clip labelling sharpens measured masks with it and bridges halts and weak frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.motion.clip_views import SeenFrame

SAME_SURFACE = 0.25
SAME_SURFACE_PX = 1.5
# How much the mask of a frame counts so many frames away.
VOTES = (1.0, 0.6, 0.35)
# A mask of which less is found again has left, was covered or was lost.
LEAST_CARRIED_SHARE = 0.5
LEAST_CARRIED_POINTS = 20

IdMap = NDArray[np.uint16]
Map = NDArray[np.float32]


@kernel
def _followed(path: Map, step: Map, out: Map) -> None:
    """`path` and then `step` from where it arrives, bilinear; NaN once it has left the image."""
    height, width = path.shape[:2]
    for y in range(height):
        for x in range(width):
            to_x, to_y = x + path[y, x, 0], y + path[y, x, 1]
            if not (to_x >= 0 and to_y >= 0 and to_x <= width - 1 and to_y <= height - 1):
                out[y, x] = np.nan
                continue
            i, j = min(int(to_x), width - 2), min(int(to_y), height - 2)
            a, b = to_x - i, to_y - j
            for c in range(2):
                top = step[j, i, c] * (1 - a) + step[j, i + 1, c] * a
                bottom = step[j + 1, i, c] * (1 - a) + step[j + 1, i + 1, c] * a
                out[y, x, c] = path[y, x, c] + top * (1 - b) + bottom * b


@kernel
def _carried(ids: IdMap, there: Map, here: Map, path: Map, out: NDArray[np.int32]) -> None:
    """Id at the end of each pixel's path; -1 where the path leaves the image or the surface."""
    height, width = here.shape
    for y in range(height):
        for x in range(width):
            out[y, x] = -1
            to_x, to_y = x + path[y, x, 0], y + path[y, x, 1]
            if not (to_x >= -0.5 and to_y >= -0.5 and to_x < width - 0.5 and to_y < height - 0.5):
                continue
            column, row = int(to_x + 0.5), int(to_y + 0.5)
            before, now = there[row, column], here[y, x]
            if before > 0 and now > 0:
                allowed = max(SAME_SURFACE_PX, SAME_SURFACE * max(now, before))
                if abs(now - before) > allowed:
                    continue
            out[y, x] = ids[row, column]


@kernel
def _vote(
    opinions: NDArray[np.int32],
    weights: Map,
    measured: NDArray[np.bool_],
    out: IdMap,
) -> None:
    """The id that most opinions of a pixel give, if those who could know it do not outvote it.

    Args:
        opinions: int32 (K, h, w), ids, 0 = none, -1 = no opinion.
        weights: float32 (K,).
        measured: bool (K, ids), whether the frame of the opinion saw the id at all.
        out: uint16 (h, w).
    """
    count, height, width = opinions.shape
    for y in range(height):
        for x in range(width):
            best, most = 0, 0.0
            for k in range(count):
                label = opinions[k, y, x]
                if label <= 0 or label == best:
                    continue
                votes, against = 0.0, 0.0
                for m in range(count):
                    other = opinions[m, y, x]
                    if other == label:
                        votes += weights[m]
                    elif other >= 0 and measured[m, label]:
                        against += weights[m]
                if votes > against and votes > most:
                    best, most = label, votes
            out[y, x] = best


def _path(frames: Sequence[SeenFrame], start: int, end: int) -> Map | None:
    """Flow over several frames, float32 (h, w, 2), grid steps; None over a break."""
    forward = end > start
    total: Map | None = None
    for index in range(start, end, 1 if forward else -1):
        step = frames[index].to_future if forward else frames[index].to_past
        if step is None:
            return None
        one = step.astype(np.float32)
        if total is None:
            total = one
        else:
            out = np.empty_like(total)
            _followed(total, one, out)
            total = out
    return total


def carry(
    frames: Sequence[SeenFrame], ids: IdMap, start: int, end: int
) -> NDArray[np.int32] | None:
    """The ids of frame `start` as frame `end` sees them, -1 = unknown; None over a break."""
    path = _path(frames, end, start)
    if path is None:
        return None
    out = np.empty(ids.shape, np.int32)
    _carried(
        ids,
        frames[start].disparity.astype(np.float32),
        frames[end].disparity.astype(np.float32),
        path,
        out,
    )
    return out


def voted_masks(frames: Sequence[SeenFrame], measured: Sequence[IdMap]) -> list[IdMap]:
    """Each frame's masks after a vote with those that its neighbours measured.

    Args:
        frames: of one unbroken clip.
        measured: per frame, uint16 (h, w), track ids where the track was measured.
    """
    largest = max((int(ids.max(initial=0)) for ids in measured), default=0)
    present = np.zeros((len(frames), largest + 1), np.bool_)
    for index, ids in enumerate(measured):
        present[index, np.unique(ids)] = True
    result = []
    reach = len(VOTES) - 1
    for index, ids in enumerate(measured):
        opinions = [ids.astype(np.int32)]
        weights, who = [VOTES[0]], [index]
        for offset in range(-reach, reach + 1):
            other = index + offset
            if offset == 0 or not 0 <= other < len(frames) or not measured[other].any():
                continue
            seen = carry(frames, measured[other], other, index)
            if seen is not None:
                opinions.append(seen)
                weights.append(VOTES[abs(offset)])
                who.append(other)
        out = np.zeros_like(ids)
        _vote(np.stack(opinions), np.array(weights, np.float32), present[who], out)
        result.append(out)
    return result


def held_masks(
    frames: Sequence[SeenFrame], masks: Sequence[IdMap], longest_s: float
) -> list[IdMap]:
    """Masks carried on to frames where their track was not seen: before, after and in between.

    A mask is carried for `longest_s` at most, and for as long as flow finds half of it again on the
    same surface. Where both directions reach a frame, they must agree.

    Args:
        frames: of one unbroken clip.
        masks: per frame, uint16 (h, w), ids where the track was seen.
        longest_s: how long a track is carried, seconds.
    """
    onward = _carried_on(frames, masks, longest_s, range(len(frames)))
    back = _carried_on(frames, masks, longest_s, range(len(frames) - 1, -1, -1))
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
    frames: Sequence[SeenFrame], masks: Sequence[IdMap], longest_s: float, order: range
) -> list[IdMap]:
    """Per frame the masks of tracks not seen there, carried in one direction of time."""
    carried = [np.zeros_like(ids) for ids in masks]
    seen_at: dict[int, int] = {}
    for previous, index in zip([None, *order][:-1], order, strict=True):
        present = {int(number) for number in np.unique(masks[index])} - {0}
        if previous is not None:
            whole = np.where(masks[previous] > 0, masks[previous], carried[previous])
            there = carry(frames, whole, previous, index)
            if there is not None:
                areas = np.bincount(whole.ravel())
                there[(there < 0) | (masks[index] > 0)] = 0
                found = np.bincount(there.ravel(), minlength=len(areas))
                for number in np.flatnonzero(found):
                    since = frames[index].stamp_ns - seen_at.get(
                        int(number), frames[index].stamp_ns
                    )
                    if (
                        int(number) in present
                        or abs(since) > longest_s * NANOSECONDS_PER_SECOND
                        or found[number] < LEAST_CARRIED_SHARE * areas[number]
                        or found[number] < LEAST_CARRIED_POINTS
                    ):
                        there[there == number] = 0
                carried[index] = there.astype(np.uint16)
        seen_at.update(dict.fromkeys(present, frames[index].stamp_ns))
    return carried
