"""Compares the scores with numbers that torchmetrics and panopticapi gave for the same maps.

    python -m benchmark.parity_metrics [test/data/goldens/metrics]

`benchmark.parity` and the tests call `compare`; README of the golden numbers, section 6.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.metrics.panoptic_quality import PanopticQuality, panoptic_scores
from cups_core.metrics.pseudo_class_matching import match_freely, match_things_and_stuff_apart
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect
from cups_core.metrics.semantic_scores import semantic_scores

FIRST_THING = {"cs19": 11, "cs27": 17, "direct27": 17}
CLASSES = {"cs19": 19, "cs27": 27, "direct27": 27}
CLUSTERS, FIRST_THING_CLUSTER = 27, 22


def compare(folder: Path) -> dict[str, float]:
    """Largest absolute difference of each part over all cases of a folder."""
    expected = json.loads((folder / "results.json").read_text())
    scenes = sorted(json.loads((folder / "manifest.json").read_text())["scenes"])
    worst: dict[str, float] = {}
    for part, difference in _differences(folder, expected, scenes):
        worst[part] = max(worst.get(part, 0.0), difference)
    return worst


def _differences(
    folder: Path, expected: dict[str, Any], scenes: list[str]
) -> Iterator[tuple[str, float]]:
    tables = {
        taxonomy: {scene: _table(folder, taxonomy, scene) for scene in scenes}
        for taxonomy in CLASSES
    }
    with np.load(folder / "confusion.npz") as stored:
        for name in stored:
            taxonomy, scene = name.split("_")
            chosen = tables[taxonomy].values() if scene == "joint" else [tables[taxonomy][scene]]
            found = sum(table.confusion(CLUSTERS, CLASSES[taxonomy]) for table in chosen)
            yield "confusion", _largest(found, stored[name])
    for name, case in expected.items():
        taxonomy, scene, *kind = name.split("_")
        chosen = list(tables[taxonomy].values()) if scene == "joint" else [tables[taxonomy][scene]]
        yield from _case(taxonomy, chosen, case, kind)


def _table(folder: Path, taxonomy: str, scene: str) -> SegmentIntersections:
    def read(kind: str) -> NDArray[np.unsignedinteger]:
        path = folder / f"{scene}_{kind}.png"
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise SystemExit(f"{path}: expected a PNG of the golden numbers, found none")
        return np.asarray(image)

    return intersect(
        predicted_class=read("pred_class27" if taxonomy == "direct27" else "pred_cluster"),
        predicted_instance=read("pred_inst"),
        truth_class=read("gt19_sem" if taxonomy == "cs19" else "gt27_sem"),
        truth_instance=read("gt_inst"),
    )


def _case(
    taxonomy: str, tables: list[SegmentIntersections], case: dict[str, Any], kind: list[str]
) -> Iterator[tuple[str, float]]:
    classes = CLASSES[taxonomy]
    is_thing = np.arange(classes) >= FIRST_THING[taxonomy]
    # "mask_3_4_9" leaves these classes out of averages and lists.
    masked = [int(number) for number in kind[1:]] if kind[:1] == ["mask"] else []
    averaged = ~np.isin(np.arange(classes), masked)
    confusion = sum((table.confusion(CLUSTERS, classes) for table in tables), np.int64(0))
    assert isinstance(confusion, np.ndarray)
    names = free_names = np.arange(CLUSTERS)
    if taxonomy != "direct27":
        # Scores take the stored assignments, which count where the optimum is tied.
        names, free_names = np.array(case["assignment_pq"]), np.array(case["assignment_miou"])
        apart = match_things_and_stuff_apart(
            confusion, np.arange(CLUSTERS) >= FIRST_THING_CLUSTER, is_thing
        )
        if kind != ["free", "pq"]:
            pairs = [*case.get("forced_pairs_things", ()), *case.get("forced_pairs_stuffs", ())]
            yield "assignment_pq", _misnamed(apart, names, confusion, pairs)
        free = match_freely(confusion)
        yield "assignment_miou", _misnamed(free, free_names, confusion, case["forced_pairs_free"])

    scores = panoptic_scores(tables, names, is_thing, averaged)
    yield from _reference(scores.reference, case, averaged)
    if "official_panopticapi" in case:
        # panopticapi knows no mask: its stored averages are over all classes.
        unmasked = panoptic_scores(tables, names, is_thing)
        yield from _official(unmasked.official, case["official_panopticapi"])
    yield "void_fraction", abs(scores.void_fraction - case["void_prediction_fraction"])
    semantic = semantic_scores(confusion, free_names)
    yield "mean_iou", abs(semantic.mean_iou - case["miou"])
    yield "accuracy", abs(semantic.accuracy - case["acc"])


def _misnamed(
    found: NDArray[np.int64],
    stored: NDArray[np.int64],
    confusion: NDArray[np.int64],
    pairs: list[list[Any]],
) -> float:
    """Pairs that differ though only one optimum exists, and how far apart both optima are."""
    wrong = sum(
        bool(unique) and (found[cluster] != name or confusion[cluster, name] != pixels)
        for cluster, name, pixels, unique in pairs
    )
    every = np.arange(len(found))
    apart = confusion[every, found].sum() - confusion[every, stored].sum()
    return float(wrong + abs(apart))


def _reference(
    found: PanopticQuality, case: dict[str, Any], averaged: NDArray[np.bool_]
) -> Iterator[tuple[str, float]]:
    counts = found.counts
    for name, value in (
        ("tp", counts.matched),
        ("fp", counts.invented),
        ("fn", counts.missed),
    ):
        yield "reference_counts", _largest(value, case[name])
    yield "reference_pq", _largest(counts.iou_sum, case["iou_sum"])
    for name in ("pq", "sq", "rq"):
        yield "reference_pq", _largest(getattr(found, name)[averaged], case[f"{name}_per_class"])
        for group, ending in ((found.all, ""), (found.things, "_things"), (found.stuff, "_stuffs")):
            yield "reference_pq", abs(getattr(group, name) - case[name + ending])


def _official(found: PanopticQuality, case: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, group in (("all", found.all), ("things", found.things), ("stuff", found.stuff)):
        yield "official_counts", abs(group.classes - case[name]["n"])
        for factor in ("pq", "sq", "rq"):
            yield "official_pq", abs(getattr(group, factor) - case[name][factor])
    counts = found.counts
    for number, one in case["per_class"].items():
        place = int(number)
        for name, values in (
            ("tp", counts.matched),
            ("fp", counts.invented),
            ("fn", counts.missed),
        ):
            yield "official_counts", abs(int(values[place]) - one[name])
        yield "official_pq", abs(counts.iou_sum[place] - one["iou_sum"])
        for factor in ("pq", "sq", "rq"):
            yield "official_pq", abs(getattr(found, factor)[place] - one[factor])


def _largest(found: Any, expected: Any) -> float:
    return float(np.abs(np.asarray(found) - np.asarray(expected)).max(initial=0))


if __name__ == "__main__":
    for part, difference in compare(Path(*sys.argv[1:] or ["test/data/goldens/metrics"])).items():
        print(f"{part:18s} {difference:.3g}")
