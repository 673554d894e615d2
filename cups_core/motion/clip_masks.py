"""Masks carried through a clip by flow, and the vote of each frame's masks with its neighbours'.

Whole-clip labelling evens out the errors of single frames with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.clip_views import SeenFrame

SAME_SURFACE = 0.25
SAME_SURFACE_PX = 1.5
# How much the mask of a frame counts so many frames away.
VOTES = (1.0, 0.6, 0.35)
# Neighbours that agree less than this share of what the whole track must reach contradict a mask.
CONTRADICTED_SHARE = 0.8

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
        if total is None:
            total = step
        else:
            out = np.empty_like(total)
            _followed(total, step, out)
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
        frames[start].disparity,
        frames[end].disparity,
        path,
        out,
    )
    return out


def voted_masks(
    frames: Sequence[SeenFrame], masks: Sequence[IdMap], measured: Sequence[IdMap]
) -> list[IdMap]:
    """Each frame's masks after a vote with those of its neighbours.

    Args:
        frames: of one unbroken clip.
        masks: per frame, uint16 (h, w), track ids.
        measured: the same as first measured; a track is shown where it was measured only.
    """
    largest = max((int(ids.max(initial=0)) for ids in measured), default=0)
    present = np.zeros((len(frames), largest + 1), np.bool_)
    for index, ids in enumerate(measured):
        present[index, np.unique(ids)] = True
    result = []
    reach = len(VOTES) - 1
    for index, ids in enumerate(masks):
        opinions = [ids.astype(np.int32)]
        weights, who = [VOTES[0]], [index]
        for offset in range(-reach, reach + 1):
            other = index + offset
            if offset == 0 or not 0 <= other < len(frames) or not masks[other].any():
                continue
            seen = carry(frames, masks[other], other, index)
            if seen is not None:
                opinions.append(seen)
                weights.append(VOTES[abs(offset)])
                who.append(other)
        out = np.zeros_like(ids)
        _vote(np.stack(opinions), np.array(weights, np.float32), present[who], out)
        result.append(np.where(present[index][out], out, 0).astype(np.uint16))
    return result


def steady_masks(
    frames: Sequence[SeenFrame],
    masks: Sequence[IdMap],
    measured: Sequence[IdMap],
    least_agreement: float,
) -> list[IdMap]:
    """The masks of those tracks whose shape holds from frame to frame.

    A track stays when on average its masks agree (IoU) with those carried from the neighbouring
    frames and with what was first measured. Of these, a mask that its neighbours contradict is left
    out.

    Args:
        frames: of one unbroken clip.
        masks: per frame, uint16 (h, w), track ids.
        measured: the same as first measured.
        least_agreement: IoU, 0 to 1.
    """
    with_neighbours: dict[tuple[int, int], float] = {}
    with_measured: dict[tuple[int, int], float] = {}
    for index, ids in enumerate(masks):
        with_measured.update({(key, index): iou for key, iou in _agreement(ids, measured[index])})
        seen = [
            dict(_agreement(ids, np.maximum(carried, 0)))
            for other in (index - 1, index + 1)
            if 0 <= other < len(frames)
            and (carried := carry(frames, masks[other], other, index)) is not None
        ]
        for key in {key for one in seen for key in one}:
            found = [one[key] for one in seen if one.get(key, 0.0) > 0]
            with_neighbours[key, index] = float(np.mean(found)) if found else 0.0
    steady = {
        key
        for key in {key for key, _ in with_neighbours}
        if min(_mean_of(with_neighbours, key), _mean_of(with_measured, key)) >= least_agreement
    }
    result = []
    for index, ids in enumerate(masks):
        kept = [
            key
            for key in steady
            if with_neighbours.get((key, index), 0.0) >= CONTRADICTED_SHARE * least_agreement
        ]
        result.append(np.where(np.isin(ids, kept), ids, 0).astype(np.uint16))
    return result


def _mean_of(agreements: dict[tuple[int, int], float], track: int) -> float:
    return float(np.mean([value for (key, _), value in agreements.items() if key == track]))


def _agreement(ids: IdMap, others: NDArray[np.integer]) -> Iterator[tuple[int, float]]:
    """IoU of each mask of `ids` with the mask of the same id in the other map."""
    largest = int(max(ids.max(initial=0), others.max(initial=0))) + 1
    sizes = np.bincount(ids.ravel(), minlength=largest)
    other_sizes = np.bincount(others.ravel(), minlength=largest)
    both = np.bincount(ids[ids == others], minlength=largest)
    for key in np.flatnonzero(sizes[1:]) + 1:
        yield int(key), float(both[key] / (sizes[key] + other_sizes[key] - both[key]))
