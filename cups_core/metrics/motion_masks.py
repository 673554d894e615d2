"""Masks of moving objects against the truth: precision, recall, foreground IoU, kinds of error.

The demo's report and the motion benchmark count with it, frame by frame, and add the counts up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

SMALLEST_MOVER_PX = 128
MATCH_IOU = 0.5
NEAR_M = 40.0
BACKGROUND_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class MotionTruth:
    """What moves and what does not in one frame.

    Attributes:
        movers: integer (H, W), 0 = nothing that moves, otherwise the id of a mover.
        static_things: integer (H, W), 0 = none, otherwise a thing that could move and does not.
        disparity: float (H, W), pixels, 0 = unknown; it tells how far a mover is.
        focal_baseline: focal length times baseline, pixel metres.
    """

    movers: NDArray[np.integer]
    static_things: NDArray[np.integer]
    disparity: NDArray[np.floating]
    focal_baseline: float

    @property
    def static_as_movers(self) -> MotionTruth:
        """The same frame asking for what stands instead: judges what propagation brought."""
        return replace(self, movers=self.static_things, static_things=self.movers)

    @property
    def things_as_movers(self) -> MotionTruth:
        """The same frame asking for every thing, moving or not; ids of both must differ."""
        everything = np.where(self.movers > 0, self.movers, self.static_things)
        return replace(self, movers=everything, static_things=np.zeros_like(everything))


@dataclass(frozen=True)
class MaskCounts:
    """Counts of one frame or, added up, of many.

    Attributes:
        masks: predicted masks, without those that lie in movers too small to judge.
        matched_masks: of these, how many match a mover (IoU above 0.5).
        movers: movers of at least 128 pixels.
        found_movers: of these, how many a mask matches.
        near_movers: movers within 40 m.
        found_near_movers: of these, how many a mask matches.
        foreground_intersection: pixels of both a mask and a mover.
        foreground_union: pixels of a mask or a mover.
        best_iou_sum: for each mover the best IoU of any mask, summed.
        on_static: unmatched masks, more than half of which lies on static things.
        on_background: other unmatched masks with less than a tenth on movers.
        fragments: the remaining unmatched masks: parts of a mover, or several in one.
    """

    masks: int = 0
    matched_masks: int = 0
    movers: int = 0
    found_movers: int = 0
    near_movers: int = 0
    found_near_movers: int = 0
    foreground_intersection: int = 0
    foreground_union: int = 0
    best_iou_sum: float = 0.0
    on_static: int = 0
    on_background: int = 0
    fragments: int = 0

    @property
    def precision(self) -> float:
        """Share of the masks that match; 0 without masks."""
        return self.matched_masks / max(self.masks, 1)

    @property
    def recall(self) -> float:
        """Share of the movers that are found; 0 without movers."""
        return self.found_movers / max(self.movers, 1)

    @property
    def near_recall(self) -> float:
        """Share of the movers within 40 m that are found; 0 without any."""
        return self.found_near_movers / max(self.near_movers, 1)

    @property
    def foreground_iou(self) -> float:
        """Intersection over union of all that moves; NaN where both are empty."""
        union = self.foreground_union
        return self.foreground_intersection / union if union else math.nan

    @property
    def mean_best_iou(self) -> float:
        """Best IoU of any mask, averaged over the movers; 0 without movers."""
        return self.best_iou_sum / max(self.movers, 1)


def total(counts: Iterable[MaskCounts]) -> MaskCounts:
    """The sum of counts; its ratios are those of the whole group."""
    found = tuple(counts)
    return MaskCounts(
        **{item.name: sum(getattr(one, item.name) for one in found) for item in fields(MaskCounts)}
    )


def count_masks(predicted: NDArray[np.integer], truth: MotionTruth) -> MaskCounts:
    """Judges one frame.

    Args:
        predicted: (H, W), 0 = static, every other value one mask.
        truth: of the same frame and size.

    Raises:
        InputError: the maps differ in size.
    """
    shapes = {a.shape for a in (predicted, truth.movers, truth.static_things, truth.disparity)}
    if len(shapes) > 1:
        raise InputError(f"motion masks: expected maps of one size, found {sorted(shapes)}")
    # Rows are masks, columns are movers, each with the empty id 0 first.
    mask_of, masks = _numbered(predicted)
    mover_of, movers = _numbered(truth.movers)
    overlap = np.bincount(mask_of * movers + mover_of, minlength=masks * movers)
    overlap = overlap.reshape(masks, movers)
    mover_size, mask_size = overlap.sum(axis=0), overlap.sum(axis=1)

    judged = mover_size >= SMALLEST_MOVER_PX
    judged[0] = False
    ignored = ~judged
    ignored[0] = False
    kept = 2 * overlap[:, ignored].sum(axis=1) <= mask_size
    kept[0] = False

    inter = overlap[np.ix_(kept, judged)]
    iou = inter / (mask_size[kept, None] + mover_size[None, judged] - inter)
    match = iou > MATCH_IOU
    matched, found = match.any(axis=1), match.any(axis=0)
    near = _distances_m(truth, mover_of, np.flatnonzero(judged)) <= NEAR_M

    static = np.bincount(mask_of, truth.static_things.ravel() > 0, len(mask_size))[kept]
    on_static = ~matched & (2 * static > mask_size[kept])
    on_movers = inter.sum(axis=1)
    on_background = ~matched & ~on_static & (on_movers < BACKGROUND_SHARE * mask_size[kept])

    # Both sides of the foreground leave out the pixels of movers too small to judge.
    intersection = int(inter.sum())
    in_masks = int(overlap[np.ix_(kept, ~ignored)].sum())
    return MaskCounts(
        masks=int(kept.sum()),
        matched_masks=int(matched.sum()),
        movers=int(judged.sum()),
        found_movers=int(found.sum()),
        near_movers=int(near.sum()),
        found_near_movers=int((found & near).sum()),
        foreground_intersection=intersection,
        foreground_union=in_masks + int(mover_size[judged].sum()) - intersection,
        best_iou_sum=float(iou.max(axis=0, initial=0).sum()),
        on_static=int(on_static.sum()),
        on_background=int(on_background.sum()),
        fragments=int((~matched & ~on_static & ~on_background).sum()),
    )


def _numbered(ids: NDArray[np.integer]) -> tuple[NDArray[np.int64], int]:
    """Each pixel's place in the list of ids, in which 0 always comes first, and its length."""
    counts = np.bincount(ids.ravel(), minlength=1)
    counts[0] += 1
    place = np.cumsum(counts > 0) - 1
    return place[ids.ravel()], int(place[-1]) + 1


def _distances_m(
    truth: MotionTruth, mover_of: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float64]:
    disparity = truth.disparity.ravel()
    distances = np.full(len(columns), np.nan)
    for place, column in enumerate(columns):
        inside = disparity[mover_of == column]
        known = inside[inside > 0]
        if known.size:
            distances[place] = truth.focal_baseline / np.median(known)
    return distances
