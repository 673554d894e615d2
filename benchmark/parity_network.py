"""Panoptic Cascade Mask R-CNN against golden numbers; `benchmark.parity` and the tests call it.

Each name tells its unit: none for features, scores, probabilities and logits, pixels for boxes, a
share of the whole where things are counted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.golden_folder import GoldenFolder, largest_difference
from benchmark.golden_network import golden_image, golden_network
from benchmark.parity_network_losses import compare_losses
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.cascade.panoptic_cascade import PanopticCascade, Scene
from cups_core.network.cascade.region_proposals import INFERENCE, Proposals, propose
from cups_core.panoptic import PanopticMap
from cups_core.panoptic_combination import CombinationSettings, combine

SETTINGS = CombinationSettings(least_stuff_px=4096)
# Proposals near a threshold come and go with rounding: they are compared where they are found.
SAME_BOX_PX = 0.01
VOID = 255


def compare(folder: Path) -> dict[str, float]:
    """Largest difference by part, of inference and of the losses."""
    network = golden_network(folder)
    found = {}
    for file in sorted(folder.glob("eval_*.npz")):
        name = file.stem.removeprefix("eval_")
        inference = compare_inference(network, folder, name)
        found.update({f"{part}_{name}": value for part, value in inference.items()})
    return {**found, **compare_losses(network, folder)}


def compare_inference(network: PanopticCascade, folder: Path, name: str) -> dict[str, float]:
    """Largest difference by part, of one image."""
    golden = GoldenFolder(folder, f"eval_{name}.npz")
    image = golden_image(golden, name)
    inside: dict[str, Any] = {}
    hooks = [
        network.backbone.register_forward_hook(lambda _, __, made: inside.update(features=made)),
        network.proposal_generator.register_forward_hook(
            lambda _, __, made: inside.update(said=made)
        ),
    ]
    with torch.inference_mode():
        scene = network([image], golden.manifest["score_threshold"])[0]
        size = (image.shape[1], image.shape[2])
        proposals = propose(inside["said"], [size], INFERENCE)[0]
        padded = ImageBatch.of([image]).images.shape[2:]
    for hook in hooks:
        hook.remove()
    labels = scene.semantic.argmax(0).numpy()
    found = combine(scene.detections(), labels, network.stuffs, SETTINGS)
    return {
        "padded_size": largest_difference(np.array(padded), golden.arrays["padded_size"]),
        **{
            f"p{level}": golden.difference(f"p{level}", features[0].numpy())
            for level, features in enumerate(inside["features"], 2)
        },
        **_of_proposals(golden, proposals),
        **_of_detections(golden, scene),
        "semantic_logits": golden.difference("sem", scene.semantic.numpy()),
        "semantic_map": _share(labels != golden.picture(f"sem_argmax_{name}.png")),
        **_of_the_map(golden, folder, name, found, network.stuffs),
    }


def _of_proposals(golden: GoldenFolder, found: Proposals) -> dict[str, float]:
    """Proposals as a set."""
    boxes, logits = golden.arrays["proposal_boxes"], golden.arrays["proposal_logits"]
    other, distance = _nearest(boxes, found.boxes.numpy())
    same = distance < SAME_BOX_PX
    return {
        "proposals_missing": 1 - float(same.mean()),
        "proposal_boxes_px": float(distance[same].max()),
        "proposal_logits": largest_difference(found.logits.numpy()[other][same], logits[same]),
    }


def _of_detections(golden: GoldenFolder, scene: Scene) -> dict[str, float]:
    """Detections as a set: each stored one and the nearest that was found."""
    stored = golden.arrays
    found = scene.detections()
    other, distance = _nearest(stored["det_boxes"], found.boxes)
    masks = found.masks[other]
    several = len(stored["det_masks5"])
    return {
        "detections_differ": float(len(found.scores) != len(stored["det_scores"]))
        + _share(found.classes[other] != stored["det_classes"])
        + (1 - len(set(other.tolist())) / len(other)),
        "detection_boxes_px": float(distance.max()),
        "detection_scores": largest_difference(found.scores[other], stored["det_scores"]),
        "mask_probabilities": largest_difference(masks[:several], stored["det_masks5"]),
        "mask_means": largest_difference(
            masks.mean((1, 2), dtype=np.float64), stored["det_mask_mean"]
        ),
    }


def _of_the_map(
    golden: GoldenFolder, folder: Path, name: str, found: PanopticMap, stuffs: int
) -> dict[str, float]:
    """Panoptic map, its segments, and the map of classes and instances."""
    stored = json.loads((folder / f"segments_{name}.json").read_text())["segments"]
    classes, instances = class_and_instance_maps(found)
    described = [(s.id, s.is_thing, s.class_id) for s in found.table]
    expected = [
        (s["id"], s["isthing"], s["category_id"] + (stuffs if s["isthing"] else -1)) for s in stored
    ]
    pixels = found.segments.size
    together = list(zip(found.table, stored, strict=False))
    return {
        "segments_differ": float(described != expected),
        "segment_scores": max(abs(f.score - (s["score"] or 1.0)) for f, s in together),
        "segment_areas": max(abs(f.area_px - s["area"]) / pixels for f, s in together),
        "panoptic_map": _share(found.segments != golden.picture(f"panoptic_{name}.png")),
        "class_map": _share(classes != golden.picture(f"standard_sem_{name}.png")),
        "instance_map": _share(instances != golden.picture(f"standard_inst_{name}.png")),
    }


def class_and_instance_maps(
    found: PanopticMap,
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class ids with 255 for void, and things numbered in the order of acceptance."""
    by_segment = np.full(len(found.table) + 1, VOID, np.uint8)
    number_of = np.zeros(len(found.table) + 1, np.uint16)
    things = [segment for segment in found.table if segment.is_thing]
    by_segment[[segment.id for segment in found.table]] = [s.class_id for s in found.table]
    number_of[[segment.id for segment in things]] = np.arange(1, len(things) + 1)
    return by_segment[found.segments], number_of[found.segments]


def _nearest(
    boxes: NDArray[np.float32], found: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each box the index of the nearest one found, and the largest distance of their sides."""
    distance = np.abs(boxes[:, None] - found[None]).max(2)
    return distance.argmin(1), distance.min(1)


def _share(differs: NDArray[np.bool_]) -> float:
    return float(differs.mean())
