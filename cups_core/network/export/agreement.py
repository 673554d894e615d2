"""How well a model of reduced precision agrees with the same model in float32.

`cups export-model` and `benchmark.inference` print it for every such model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cups_core.metrics.panoptic_quality import panoptic_scores
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect
from cups_core.panoptic import UNKNOWN_CLASS, PanopticMap
from cups_core.runtime.backend import Outputs

SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class Agreement:
    """Shares from 0 to 1, over all images together.

    Attributes:
        semantic: of the semantic cells, those with the same best channel.
        detections: F1 score of the detections, matched one to one by class and overlap; NaN for a
            network without boxes, or where there are none.
        panoptic_quality: of the maps, with those in float32 as truth.
        images: how many were compared.
    """

    semantic: float
    detections: float
    panoptic_quality: float
    images: int


class ImagePair(NamedTuple):
    """What both models say of one image.

    Attributes:
        exact: outputs of the graph in float32.
        exact_map: the panoptic map of them.
        reduced, reduced_map: the same of the other model.
    """

    exact: Outputs
    exact_map: PanopticMap
    reduced: Outputs
    reduced_map: PanopticMap


def agreement(
    pairs: Sequence[ImagePair], is_thing: Sequence[bool], least_score: float
) -> Agreement:
    """The agreement over some images.

    Args:
        pairs: of the images.
        is_thing: of each class id of the maps.
        least_score: detections below it do not count.
    """
    same = [
        pair.exact["semantic"].argmax(1) == pair.reduced["semantic"].argmax(1) for pair in pairs
    ]
    matched = total = 0
    for pair in pairs:
        if "boxes" in pair.exact:
            exact, reduced = _good(pair.exact, least_score), _good(pair.reduced, least_score)
            matched += 2 * matches(exact, reduced)
            total += len(exact["boxes"]) + len(reduced["boxes"])
    classes = np.asarray(is_thing, np.bool_)
    tables = [_table(pair.reduced_map, pair.exact_map) for pair in pairs]
    quality = panoptic_scores(tables, np.arange(len(classes)), classes).official.all.pq
    return Agreement(
        float(np.mean(np.concatenate([cells.ravel() for cells in same]))),
        matched / total if total else float("nan"),
        quality,
        len(pairs),
    )


def matches(exact: Outputs, reduced: Outputs) -> int:
    """How many detections both have, best overlap first; each counts once."""
    iou = _iou(exact["boxes"], reduced["boxes"])
    iou[exact["labels"][:, None] != reduced["labels"][None]] = 0
    found = 0
    while iou.size and iou.max() >= SAME_OBJECT_IOU:
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        iou[row], iou[:, column] = 0, 0
        found += 1
    return found


def _good(outputs: Outputs, least_score: float) -> Outputs:
    chosen = outputs["scores"] >= least_score
    return {name: outputs[name][chosen] for name in ("boxes", "labels")}


def _iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clip(0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _table(predicted: PanopticMap, truth: PanopticMap) -> SegmentIntersections:
    classes, truth_classes = (_classes(item) for item in (predicted, truth))
    return intersect(
        predicted_class=classes,
        predicted_instance=predicted.segments,
        truth_class=truth_classes,
        truth_instance=truth.segments,
    )


def _classes(found: PanopticMap) -> NDArray[np.uint16]:
    table = np.full(len(found.table) + 1, UNKNOWN_CLASS, np.uint16)
    for segment in found.table:
        table[segment.id] = segment.class_id
    return table[found.segments]
