"""One set of objects per frame out of what its neighbours in time show, by vote.

Whole-clip labelling merges each frame's views before it follows objects through time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.clip_views import View
from cups_core.motion.segments import Box, MotionSegments, MovingObject, areas_and_boxes

# Two views show the same object where their masks agree to this IoU, or one is a part of the other.
SAME_IOU = 0.35
PART_COVER = 0.6
# Parts of one object move alike and lie at one depth.
SAME_SPEED_SHARE = 0.5
SAME_SPEED_MPS = 1.0
SAME_DEPTH_SHARE = 0.2

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Detection:
    """One object of one view; the mask is cut to the object's box."""

    view: int
    item: MovingObject
    mask: Mask

    def overlap(self, other: _Detection) -> int:
        """Number of pixels of both masks."""
        left, top = (max(self.item.box[axis], other.item.box[axis]) for axis in (0, 1))
        right, bottom = (
            min(one.box[axis] + one.box[axis + 2] for one in (self.item, other.item))
            for axis in (0, 1)
        )
        if right <= left or bottom <= top:
            return 0
        cuts = (
            one.mask[
                top - one.item.box[1] : bottom - one.item.box[1],
                left - one.item.box[0] : right - one.item.box[0],
            ]
            for one in (self, other)
        )
        return int(np.logical_and(*cuts).sum())


def merge_views(views: Sequence[View], shape: tuple[int, int]) -> MotionSegments:
    """Objects of a frame: what most of the views that see an object take for it.

    The score of an object is the chance that not every view is wrong.

    Args:
        views: of one frame, may be empty.
        shape: of the grid.
    """
    detections = [
        _Detection(
            number,
            item,
            view.segments.instances[_window(item.box)] == item.id,
        )
        for number, view in enumerate(views)
        for item in view.segments.objects
    ]
    # Sure detections found the groups, the others join them.
    detections.sort(key=lambda one: -one.item.score)
    groups: list[list[_Detection]] = []
    for one in detections:
        group = _group_of(groups, one)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    winner = np.zeros(shape, np.uint16)
    leading = np.zeros(shape, np.float32)
    for index, group in enumerate(groups, start=1):
        votes = _votes(group, shape)
        won = (votes >= 0.5) & (votes > leading)
        winner[won] = index
        leading[won] = votes[won]
    left = np.unique(winner[winner > 0])
    instances = np.asarray(np.searchsorted(left, winner) + 1, np.uint16) * (winner > 0)
    measured = areas_and_boxes(instances)
    objects = (
        replace(groups[index - 1][0].item, id=number, score=_score(groups[index - 1]))
        for number, index in enumerate(left.tolist(), start=1)
    )
    return MotionSegments(
        instances,
        tuple(
            replace(item, area_px=measured[item.id][0], box=measured[item.id][1])
            for item in objects
        ),
    )


def _window(box: Box) -> tuple[slice, slice]:
    return slice(box[1], box[1] + box[3]), slice(box[0], box[0] + box[2])


def _group_of(groups: list[list[_Detection]], one: _Detection) -> list[_Detection] | None:
    """The group that the detection agrees with best, or is a part of; None if there is none."""
    best, most = None, 0.0
    for group in groups:
        for other in group:
            both = one.overlap(other)
            if not both:
                continue
            least = min(one.item.area_px, other.item.area_px)
            iou = both / (one.item.area_px + other.item.area_px - both)
            part = both > PART_COVER * least and _move_alike(other.item, one.item)
            if (iou > SAME_IOU or part) and both / least > most:
                best, most = group, both / least
    return best


def _votes(group: list[_Detection], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Share of the group's views whose pieces cover each pixel."""
    views = sorted({one.view for one in group})
    votes = np.zeros(shape, np.float32)
    for view in views:
        union = np.zeros(shape, np.bool_)
        for one in group:
            if one.view == view:
                union[_window(one.item.box)] |= one.mask
        votes += union
    return np.asarray(votes / len(views), np.float32)


def _score(group: list[_Detection]) -> float:
    best: dict[int, float] = {}
    for one in group:
        best[one.view] = max(best.get(one.view, 0.0), one.item.score)
    return 1.0 - float(np.prod([1.0 - score for score in best.values()]))


def _move_alike(first: MovingObject, second: MovingObject) -> bool:
    apart = float(np.linalg.norm(first.velocity_mps - second.velocity_mps))
    depths = first.centroid_m[2], second.centroid_m[2]
    return apart < SAME_SPEED_MPS + SAME_SPEED_SHARE * max(
        first.speed_mps, second.speed_mps
    ) and abs(depths[0] - depths[1]) < SAME_DEPTH_SHARE * max(depths)
