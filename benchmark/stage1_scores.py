"""Scores of stage 1's labels against synthetic truth, from arrays: masks, panoptic maps, classes.

`benchmark.stage1` reads the files and prints what is pooled here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.metrics.motion_masks import MaskCounts, MotionTruth, count_masks, total
from cups_core.metrics.panoptic_quality import panoptic_scores
from cups_core.metrics.pseudo_class_matching import match_freely, match_things_and_stuff_apart
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect
from cups_core.metrics.semantic_scores import semantic_scores
from cups_core.panoptic import UNKNOWN_CLASS
from cups_training.synthetic.classes import StreetClass

CLASSES = max(StreetClass) + 1
THINGS = (StreetClass.PERSON, StreetClass.RIDER, StreetClass.CAR, StreetClass.BICYCLE)
VOID = np.uint8(255)
IS_THING = np.isin(np.arange(CLASSES), THINGS)

Row = dict[str, str | float]


@dataclass(frozen=True, eq=False)
class LabelMaps:
    """What stage 1 says of one frame; the largest value of a class map's type is void.

    Attributes:
        masks: uint16 (H, W), every mask, whatever its class; 0 = none.
        semantic: uint8 or uint16 (H, W), pseudo-class of every pixel.
        panoptic_class: uint8 or uint16 (H, W), pseudo-class where the label speaks.
        panoptic_segment: uint16 (H, W), number of the segment.
    """

    masks: NDArray[np.uint16]
    semantic: NDArray[np.unsignedinteger]
    panoptic_class: NDArray[np.unsignedinteger]
    panoptic_segment: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class TruthMaps:
    """What is true of one frame.

    Attributes:
        semantic: uint8 (H, W), `StreetClass`; 255 = unlabelled.
        instance: uint16 (H, W), things, moving or not; 0 = none.
        moving: uint16 (H, W), the instance map of what moves.
        disparity: float32 (H, W), pixels, 0 = sky.
        focal_baseline: pixel metres.
    """

    semantic: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    moving: NDArray[np.uint16]
    disparity: NDArray[np.float32]
    focal_baseline: float


@dataclass(frozen=True, eq=False)
class FrameScores:
    """Counts of one frame, from which every figure is pooled.

    Attributes:
        moving: masks against what moves.
        static: masks against things that stand.
        things: masks against all things.
        panoptic: segments of the panoptic map against those of the truth.
        semantic: classes of the semantic map against those of the truth.
    """

    moving: MaskCounts
    static: MaskCounts
    things: MaskCounts
    panoptic: SegmentIntersections
    semantic: SegmentIntersections


def score_frame(label: LabelMaps, truth: TruthMaps, smallest_px: int = 0) -> FrameScores:
    """Judge one frame.

    Args:
        label: what is judged.
        truth: what is true.
        smallest_px: true things with fewer visible pixels are unlabelled ground for the panoptic
            and semantic figures; those of masks have a limit of their own.

    Raises:
        InputError: the maps differ in size or type.
    """
    motion = MotionTruth(
        truth.moving,
        np.where(truth.moving > 0, np.uint16(0), truth.instance),
        truth.disparity,
        truth.focal_baseline,
    )
    nothing = np.zeros_like(truth.instance)
    sizes = np.bincount(truth.instance.ravel())
    too_small = (truth.instance > 0) & (sizes < smallest_px)[truth.instance]
    true_class = np.where(too_small, VOID, truth.semantic)
    return FrameScores(
        count_masks(label.masks, motion),
        count_masks(label.masks, motion.static_as_movers),
        count_masks(label.masks, motion.things_as_movers),
        intersect(
            predicted_class=label.panoptic_class,
            predicted_instance=label.panoptic_segment,
            truth_class=true_class,
            truth_instance=truth.instance,
        ),
        intersect(
            predicted_class=label.semantic,
            predicted_instance=nothing,
            truth_class=true_class,
            truth_instance=nothing,
        ),
    )


def mask_row(frames: Sequence[FrameScores]) -> Row:
    """Figures of the masks alone, percent; pooled over frames."""
    moving = total(frame.moving for frame in frames)
    static = total(frame.static for frame in frames)
    return {
        "frames": len(frames),
        "masks": moving.masks,
        "precision": 100 * moving.precision,
        "any thing": 100 * total(frame.things for frame in frames).precision,
        "recall": 100 * moving.recall,
        "<40 m": 100 * moving.near_recall,
        "static recall": 100 * static.recall,
        "static <40 m": 100 * static.near_recall,
        "fg IoU": 100 * moving.foreground_iou,
        "on static": moving.on_static,
        "on background": moving.on_background,
        "fragments": moving.fragments,
    }


def label_rows(
    groups: Mapping[str, Sequence[FrameScores]], is_thing: NDArray[np.bool_]
) -> dict[str, Row]:
    """Figures of the panoptic labels of each group, percent.

    Pseudo-classes are named once, over all groups: a name may not change with the scenario.

    Args:
        groups: frames by name.
        is_thing: bool (clusters,), of the pseudo-classes.
    """
    frames = [frame for group in groups.values() for frame in group]
    # A class that the street never shows would take a pseudo-class away from one that it does.
    shown = np.unique(np.concatenate([frame.semantic.truth_class for frame in frames]))
    shown = shown[shown != UNKNOWN_CLASS]
    names = shown[
        match_things_and_stuff_apart(
            _confusion([frame.panoptic for frame in frames], len(is_thing))[:, shown],
            is_thing,
            IS_THING[shown],
        )
    ]
    free = shown[
        match_freely(_confusion([frame.semantic for frame in frames], len(is_thing))[:, shown])
    ]
    rows: dict[str, Row] = {}
    for name, group in groups.items():
        scores = panoptic_scores([frame.panoptic for frame in group], names, IS_THING)
        semantic = semantic_scores(
            _confusion([frame.semantic for frame in group], len(is_thing)), free
        )
        row: Row = {"classes": len(is_thing), "things": int(is_thing.sum())}
        for title, rule in (("PQ", scores.official), ("ref PQ", scores.reference)):
            row[title] = 100 * rule.all.pq
            row[title.replace("PQ", "SQ")] = 100 * rule.all.sq
            row[title.replace("PQ", "RQ")] = 100 * rule.all.rq
            row[f"{title} things"] = 100 * rule.things.pq
            row[f"{title} stuff"] = 100 * rule.stuff.pq
        row["void"] = 100 * scores.void_fraction
        row["mIoU"] = 100 * semantic.mean_iou
        row["accuracy"] = 100 * semantic.accuracy
        rows[name] = row
    return rows


def _confusion(tables: Sequence[SegmentIntersections], clusters: int) -> NDArray[np.int64]:
    found = np.zeros((clusters, CLASSES), np.int64)
    for table in tables:
        found += table.confusion(clusters, CLASSES)
    return found
