"""Prints how well weight-free semantics names the classes of synthetic streets, and what it costs.

People run it: `python -m benchmark.semantics [--drives 6] [--frames 2] [--maps FOLDER] [--json]`.
Fitted on drives of the suite `train`, judged on drives of the suite `val`.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.table import print_rows
from cups_core.drawing import color_of
from cups_core.frames import StereoFrame
from cups_core.metrics.pseudo_class_matching import match_freely
from cups_core.metrics.semantic_scores import semantic_scores
from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.semantics.clustering import ClusteringSettings
from cups_core.semantics.depth_guided import (
    InferenceSettings,
    most_probable,
    semantic_log_probabilities,
)
from cups_core.semantics.mean_field import MeanField, MeanFieldSettings
from cups_core.semantics.semantic_classifier import SemanticClassifier
from cups_core.semantics.surface_geometry import view_scene
from cups_core.semantics.weight_free_codes import WeightFreeSettings
from cups_training.semantics_fitting.frame_sample import choose_frames
from cups_training.semantics_fitting.weight_free_fit import fit_weight_free
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import suite

CLASSES = list(StreetClass)
USUAL, USUAL_FIELD = InferenceSettings(), MeanFieldSettings()
_COLOURS = np.array([color_of(number) for number in range(256)], np.uint8)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row: which parts of the features, how they are used."""

    name: str
    without: tuple[str, ...] = ()
    settings: InferenceSettings = USUAL
    field: MeanFieldSettings | None = USUAL_FIELD
    classes: int = 27


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """A frame with what the classifier gets and what it should say."""

    frame: StereoFrame
    disparity: NDArray[np.float32]
    semantic: NDArray[np.uint8]


GEOMETRY = ("height", "normal", "position", "distance")
VARIANTS = (
    Variant("full"),
    Variant("full", classes=54),
    Variant("full", classes=80),
    Variant("without geometry", GEOMETRY),
    Variant("without height", ("height",)),
    Variant("without normal", ("normal",)),
    Variant("without position", ("position",)),
    Variant("without distance", ("distance",)),
    Variant("without colour", ("colour",)),
    Variant("without texture", ("texture",)),
    Variant("without random field", field=None),
    Variant("without depth guidance", settings=InferenceSettings(depth_guidance=False)),
    Variant("half size", settings=InferenceSettings(depth_guidance=False, half_size=True)),
    Variant("field at every pixel", field=MeanFieldSettings(stride=1)),
    Variant("field at each 4th pixel", field=MeanFieldSettings(stride=4)),
)


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drives", type=int, default=6, help="of each suite")
    parser.add_argument("--frames", type=int, default=2, help="of each drive")
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--maps", type=Path, help="folder for pictures of the first row's maps")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    estimator = SemiGlobalMatching()
    learned = [frame for frame, _ in _frames("train", given.drives, given.frames)]
    judged = [
        Judged(frame, estimator.disparities(frame.left, frame.right)[0], semantic)
        for frame, semantic in _frames("val", given.drives, given.frames)
    ]
    chosen = [variant for variant in VARIANTS if not given.only or given.only in variant.name]
    fitted: dict[Any, Any] = {}
    rows = []
    for variant in chosen:
        key = (variant.without, variant.classes)
        if key not in fitted:
            weights = WeightFreeSettings(**dict.fromkeys(variant.without, 0.0))
            clustering = ClusteringSettings(classes=variant.classes)
            fitted[key] = fit_weight_free(learned, estimator, weights, clustering)
        fit = fitted[key]
        classifier = SemanticClassifier(
            fit.extractor, fit.clustering.centroids, variant.settings, variant.field
        )
        rows.append(_judge(variant, classifier, judged, given.maps))
        given.maps = None
    fit = next(iter(fitted.values()))
    print_rows({"classes": rows, "milliseconds a frame": _times(fit, judged[0])}, given.json)


def _frames(name: str, drives: int, frames: int) -> Iterator[tuple[StereoFrame, NDArray[np.uint8]]]:
    base = DriveSettings(width=1280, height=640)
    clips = suite(name, base)[:drives]
    for drive, frame in choose_frames([base.frames] * len(clips), drives * frames, 0):
        made = SyntheticDrive(clips[drive].settings, clips[drive].seed)
        picture, truth = made.frame_with_truth(frame)
        yield picture, truth.semantic


def _judge(
    variant: Variant, classifier: SemanticClassifier, judged: list[Judged], maps: Path | None
) -> dict[str, str | float]:
    confusion = np.zeros((classifier.classes, len(CLASSES)), np.int64)
    number = np.full(256, len(CLASSES), np.int64)
    number[CLASSES] = np.arange(len(CLASSES))
    for index, item in enumerate(judged):
        found = classifier.classify(item.frame, item.disparity)
        np.add.at(confusion, (found, number[item.semantic]), 1)
        if maps:
            maps.mkdir(parents=True, exist_ok=True)
            painted = [_COLOURS[found], _COLOURS[item.semantic]]
            picture = np.vstack([item.frame.left, *painted])
            cv2.imwrite(str(maps / f"{index}.png"), picture[..., ::-1])
    freely = semantic_scores(confusion, match_freely(confusion))
    majority = semantic_scores(confusion, confusion.argmax(axis=1))
    named = {
        kind.name.lower(): round(100 * majority.iou[number[kind]], 1)
        for kind in CLASSES
        if majority.iou[number[kind]] > 0
    }
    return {
        "variant": variant.name,
        "classes": variant.classes,
        "mIoU matched": 100 * freely.mean_iou,
        "accuracy matched": 100 * freely.accuracy,
        "mIoU majority": 100 * majority.mean_iou,
        "accuracy majority": 100 * majority.accuracy,
        "IoU": " ".join(f"{name} {value:.0f}" for name, value in named.items()),
    }


def _times(fit: Any, item: Judged) -> list[dict[str, str | float]]:
    view = view_scene(item.frame, item.disparity)
    centroids = fit.clustering.centroids
    found = semantic_log_probabilities(view, fit.extractor, centroids)
    parts: dict[str, Callable[[], object]] = {
        "surfaces": lambda: view_scene(item.frame, item.disparity),
        "codes": lambda: fit.extractor.codes([view]),
        "windows alone": lambda: semantic_log_probabilities(
            view, fit.extractor, centroids, depth_guidance=False
        ),
        "depth-guided": lambda: semantic_log_probabilities(view, fit.extractor, centroids),
        "all": lambda: SemanticClassifier(fit.extractor, centroids, USUAL, USUAL_FIELD).classify(
            item.frame, item.disparity
        ),
        "all, half size, windows alone": lambda: SemanticClassifier(
            fit.extractor,
            centroids,
            InferenceSettings(depth_guidance=False, half_size=True),
            USUAL_FIELD,
        ).classify(item.frame, item.disparity),
        "most probable": lambda: most_probable(found),
        **{
            f"random field, stride {stride}": lambda stride=stride: MeanField(
                MeanFieldSettings(stride=stride)
            ).labels(found, item.frame.left)
            for stride in (1, 2, 3, 4, 6)
        },
    }
    return [{"part": name, "best of 3": 1e3 * _seconds(part)} for name, part in parts.items()]


def _seconds(part: Callable[[], object]) -> float:
    """Processor time, the best of three runs after one that compiles."""
    part()
    taken = []
    for _ in range(3):
        start = time.process_time()
        part()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
