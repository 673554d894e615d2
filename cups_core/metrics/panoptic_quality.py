"""Panoptic quality by the official rule and by the one behind the published CUPS figures.

They are always given together, with the share of void, because the second forgives a prediction
that says nothing: it can rise when an object is voided. Benchmarks and the evaluation call this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.metrics.segment_intersections import SegmentIntersections
from cups_core.panoptic import UNKNOWN_CLASS


@dataclass(frozen=True, eq=False)
class SegmentCounts:
    """What was found, missed and invented, per class; of one image or, added up, of many.

    Attributes:
        iou_sum: float64 (classes,), IoU of the matched pairs, summed.
        matched: int64 (classes,), pairs of the same class with an IoU above 0.5.
        invented: int64 (classes,), predicted segments that match nothing.
        missed: int64 (classes,), true segments that nothing matches.
    """

    iou_sum: NDArray[np.float64]
    matched: NDArray[np.int64]
    invented: NDArray[np.int64]
    missed: NDArray[np.int64]

    def __add__(self, other: SegmentCounts) -> SegmentCounts:
        return SegmentCounts(
            self.iou_sum + other.iou_sum,
            self.matched + other.matched,
            self.invented + other.invented,
            self.missed + other.missed,
        )


@dataclass(frozen=True)
class Quality:
    """Panoptic quality and its factors, averaged over a group of classes.

    Attributes:
        pq: panoptic quality.
        sq: segmentation quality, the mean IoU of what matches.
        rq: recognition quality, the F1 score of matching.
        classes: how many classes of the group occur; NaN above where none does.
    """

    pq: float
    sq: float
    rq: float
    classes: int


@dataclass(frozen=True, eq=False)
class PanopticQuality:
    """Panoptic quality by one rule.

    Attributes:
        counts: what it was computed from.
        pq: float64 (classes,), 0 for a class that does not occur.
        sq: as `pq`.
        rq: as `pq`.
        all: averaged over the classes that occur.
        things: over those with instances.
        stuff: over the others.
    """

    counts: SegmentCounts
    pq: NDArray[np.float64]
    sq: NDArray[np.float64]
    rq: NDArray[np.float64]
    all: Quality
    things: Quality
    stuff: Quality


@dataclass(frozen=True, eq=False)
class PanopticScores:
    """Both rules and what separates them.

    Attributes:
        official: as panopticapi counts: void predictions are errors, crowd regions are neither.
        reference: as torchmetrics counts: void predictions are left out of union and misses.
        void_fraction: share of all pixels of which the prediction says nothing.
    """

    official: PanopticQuality
    reference: PanopticQuality
    void_fraction: float


def panoptic_scores(
    tables: Iterable[SegmentIntersections],
    names: NDArray[np.integer],
    is_thing: NDArray[np.bool_],
    averaged: NDArray[np.bool_] | None = None,
) -> PanopticScores:
    """Scores of a set of images.

    Args:
        tables: one of each image, before naming.
        names: integer (clusters,), the class of each pseudo-class; the identity for predictions
            that speak the classes of the truth.
        is_thing: bool (classes,). A true segment of a thing class without an instance is a crowd.
        averaged: bool (classes,), the classes that enter averages; None = all.

    Raises:
        InputError: a table holds a class beyond the lists.
    """
    nothing = np.zeros(len(is_thing), np.int64)
    official = reference = SegmentCounts(nothing.astype(np.float64), nothing, nothing, nothing)
    pixels = np.zeros(2, np.int64)
    for table in tables:
        named = table.named(names, is_thing)
        official += _count(named, is_thing, forgives_void=False)
        reference += _count(named, is_thing, forgives_void=True)
        pixels += table.void_pixels, table.pixels.sum()
    chosen = np.ones(len(is_thing), bool) if averaged is None else averaged
    return PanopticScores(
        _quality(official, is_thing, chosen),
        _quality(reference, is_thing, chosen),
        float(pixels[0] / max(pixels[1], 1)),
    )


def _count(
    table: SegmentIntersections, is_thing: NDArray[np.bool_], *, forgives_void: bool
) -> SegmentCounts:
    """Counts of one image by the reference's rule (forgives void) or by the official one.

    All comparisons with one half are made in whole pixels, so that ties are exact.
    """
    predicted, p = _segments(table.predicted_class, table.predicted_instance)
    true, t = _segments(table.truth_class, table.truth_instance)
    predicted_void, true_void = predicted == UNKNOWN_CLASS, true == UNKNOWN_CLASS
    area_p = np.bincount(p, table.pixels, len(predicted))
    area_t = np.bincount(t, table.pixels, len(true))
    # Pixels of each segment of which the other side says nothing.
    void_p = np.bincount(p, table.pixels * true_void[t], len(predicted))
    void_t = np.bincount(t, table.pixels * predicted_void[p], len(true))
    is_crowd = np.zeros(len(true), bool)
    excused_p = void_p
    if not forgives_void:
        crowd_row = ~true_void[t] & (table.truth_instance == 0)
        crowd_row[crowd_row] = is_thing[true[t[crowd_row]]]
        is_crowd[t[crowd_row]] = True
        same_crowd = crowd_row & (true[t] == predicted[p])
        excused_p = void_p + np.bincount(p, table.pixels * same_crowd, len(predicted))

    pair = (predicted[p] == true[t]) & ~true_void[t] & ~is_crowd[t]
    p, t, shared = p[pair], t[pair], table.pixels[pair]
    union = area_p[p] - void_p[p] + area_t[t] - shared
    if forgives_void:
        union -= void_t[t]
    match = 2 * shared > union
    invented, missed = ~predicted_void, ~true_void & ~is_crowd
    invented[p[match]] = False
    missed[t[match]] = False
    invented &= 2 * excused_p <= area_p
    if forgives_void:
        missed &= 2 * void_t <= area_t
    classes, matched = len(is_thing), true[t[match]]
    return SegmentCounts(
        np.bincount(matched, shared[match] / union[match], classes).astype(np.float64),
        np.bincount(matched, minlength=classes),
        np.bincount(predicted[invented], minlength=classes),
        np.bincount(true[missed], minlength=classes),
    )


def _segments(
    classes: NDArray[np.uint16], instances: NDArray[np.uint16]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The class of each segment, and each row's segment."""
    keys, row = np.unique(classes.astype(np.int64) << 16 | instances, return_inverse=True)
    return keys >> 16, row


def _quality(
    counts: SegmentCounts, is_thing: NDArray[np.bool_], averaged: NDArray[np.bool_]
) -> PanopticQuality:
    weight = counts.matched + 0.5 * counts.invented + 0.5 * counts.missed
    occurs = weight > 0
    pq = counts.iou_sum / np.where(occurs, weight, 1.0)
    sq = counts.iou_sum / np.maximum(counts.matched, 1)
    rq = counts.matched / np.where(occurs, weight, 1.0)

    def mean(group: NDArray[np.bool_]) -> Quality:
        chosen = group & occurs & averaged
        if not chosen.any():
            return Quality(math.nan, math.nan, math.nan, 0)
        first, second, third = (float(values[chosen].mean()) for values in (pq, sq, rq))
        return Quality(first, second, third, int(chosen.sum()))

    return PanopticQuality(
        counts, pq, sq, rq, mean(np.ones_like(occurs)), mean(is_thing), mean(~is_thing)
    )
