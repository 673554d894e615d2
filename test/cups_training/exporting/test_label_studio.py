"""Label Studio tasks: structure by the rules of its documentation, masks by its own decoder."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from .conftest import HEIGHT, UNLABELLED, WIDTH, Export, Painted
from .test_run_lengths import brush_mask, decoded_bits


def test_tasks_carry_every_segment_as_a_brush_mask(painted: Painted, export: Export) -> None:
    output = export("label-studio")
    config = ElementTree.fromstring((output / "labeling_config.xml").read_text())
    brushes = {one.get("value") for one in config.iter("Label")}
    tasks = json.loads((output / "tasks_train.json").read_text())
    assert len(tasks) == 7
    ids = []
    for index, task in enumerate(tasks):
        place = task["data"]["image"].removeprefix("/data/local-files/?d=")
        assert (output / place).exists()
        if index == UNLABELLED[1]:
            assert task["predictions"] == []
            continue
        label = painted.label("day_1", index)
        (prediction,) = task["predictions"]
        assert len(prediction["result"]) == len(label.table)
        for one, region in zip(label.table, prediction["result"], strict=True):
            assert (region["type"], region["value"]["format"]) == ("brushlabels", "rle")
            assert config.find(f".//BrushLabels[@name='{region['from_name']}']") is not None
            assert config.find(f".//Image[@name='{region['to_name']}']") is not None
            assert region["value"]["brushlabels"] == [one.class_name]
            assert one.class_name in brushes
            size = (region["original_height"], region["original_width"])
            assert size == (HEIGHT, WIDTH)
            mask = brush_mask(region["value"]["rle"], size, decoded_bits)
            assert np.array_equal(mask == 1, label.segments == one.id)
            ids.append(region["id"])
    assert len(set(ids)) == len(ids)


def test_label_studio_decodes_whole_predictions(painted: Painted, export: Export) -> None:
    brush = pytest.importorskip("label_studio_converter.brush")
    (task, *_) = json.loads((export("label-studio") / "tasks_val.json").read_text())
    label = painted.label("night", 0)
    results = [
        region["value"]
        | {key: region[key] for key in ("type", "original_width", "original_height")}
        for region in task["predictions"][0]["result"]
    ]
    layers = brush.decode_from_annotation("label", results)
    assert sorted(mask.astype(bool).sum() for mask in layers.values()) == sorted(
        one.area_px for one in label.table
    )


def test_the_prefix_of_pictures_is_a_setting(export: Export) -> None:
    output = export("label-studio", "--set", "image_prefix=https://pictures.example/")
    (task, *_) = json.loads((output / "tasks_val.json").read_text())
    assert task["data"]["image"].startswith("https://pictures.example/images/val/night_")
