"""COCO files, read by pycocotools and by panopticapi's published formula."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cups_training.dataset.dataset import Dataset

from .conftest import HEIGHT, RECIPE, WIDTH, Export, Painted

DRIVES = (("train", "day_1"), ("val", "night"))


def rgb2id(color: np.ndarray) -> np.ndarray:
    """The documented formula of panopticapi."""
    wide = color.astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 256 * 256 * wide[..., 2]


@pytest.mark.parametrize(("split", "drive"), DRIVES)
def test_panoptic_maps_and_tables_agree_with_the_labels(
    painted: Painted, export: Export, split: str, drive: str
) -> None:
    output = export("coco-panoptic")
    content = json.loads((output / f"annotations/panoptic_{split}.json").read_text())
    category = {one["id"]: one for one in content["categories"]}
    annotation = {one["image_id"]: one for one in content["annotations"]}
    labelled = {stamp for name, stamp in painted.labels if name == drive}
    assert {image["stamp_ns"] for image in content["images"]} == labelled
    for image in content["images"]:
        picture = np.array(Image.open(output / "images" / split / image["file_name"]))
        assert np.array_equal(picture, painted.pictures[drive, image["stamp_ns"], "left"])
        assert (image["height"], image["width"]) == picture.shape[:2]
        entry = annotation[image["id"]]
        ids = rgb2id(
            np.array(Image.open(output / f"annotations/panoptic_{split}" / entry["file_name"]))
        )
        label = painted.labels[drive, image["stamp_ns"]]
        assert np.array_equal(ids == 0, label.segments == 0)
        assert len(entry["segments_info"]) == len(label.table)
        for segment in entry["segments_info"]:
            mask = ids == segment["id"]
            (number,) = np.unique(label.segments[mask])
            expected = next(one for one in label.table if one.id == number)
            assert np.array_equal(mask, label.segments == number)
            assert segment["category_id"] == expected.class_id
            assert category[expected.class_id]["isthing"] == expected.is_thing
            assert segment["area"] == mask.sum()
            assert segment["bbox"] == list(expected.box)
            assert segment.get("track_id", 0) == expected.track_id


def test_panoptic_maps_are_the_files_of_the_labels(painted: Painted, export: Export) -> None:
    output = export("coco-panoptic")
    for drive, stamp in painted.labels:
        split = dict(map(reversed, DRIVES))[drive]
        source = Dataset(painted.root).labels(RECIPE) / "panoptic" / drive / f"{stamp}.png"
        target = output / f"annotations/panoptic_{split}" / f"{drive}_{stamp}.png"
        assert source.read_bytes() == target.read_bytes()


@pytest.mark.parametrize(("split", "drive"), DRIVES)
def test_pycocotools_gives_back_every_object(
    painted: Painted, export: Export, split: str, drive: str
) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    output: Path = export("coco-instances")
    read = coco.COCO(output / f"annotations/instances_{split}.json")
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["thing_1", "thing_4"]
    found = 0
    for image in read.loadImgs(read.getImgIds()):
        assert (output / "images" / split / image["file_name"]).exists()
        label = painted.labels[drive, image["stamp_ns"]]
        things = {one.track_id: one for one in label.table if one.is_thing}
        annotations = read.loadAnns(read.getAnnIds(imgIds=image["id"]))
        assert sorted(one["track_id"] for one in annotations) == sorted(things)
        for one in annotations:
            thing = things[one["track_id"]]
            mask = read.annToMask(one)
            assert mask.shape == (HEIGHT, WIDTH)
            assert np.array_equal(mask == 1, label.segments == thing.id)
            assert one["bbox"] == list(thing.box)
            assert one["area"] == mask.sum()
            assert (one["category_id"], one["iscrowd"]) == (thing.class_id, 0)
            found += 1
    expected = [
        one
        for name, stamp in painted.labels
        if name == drive
        for one in painted.labels[name, stamp].table
        if one.is_thing
    ]
    assert found == len(expected) > 0


def test_coco_judges_the_export_as_its_own_truth(export: Export) -> None:
    """The official judge of detections finds every object of the file in itself."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    read = coco.COCO(export("coco-instances") / "annotations/instances_train.json")
    results = [
        {key: one[key] for key in ("image_id", "category_id", "segmentation", "score")}
        for one in read.loadAnns(read.getAnnIds())
    ]
    judge = evaluation.COCOeval(read, read.loadRes(results), "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)
