"""Semantic maps, read by Pillow."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from .conftest import Export, Painted


def test_maps_hold_the_class_of_each_pixel_and_255_where_nothing_is_said(
    painted: Painted, export: Export
) -> None:
    output = export("semantic-png")
    masks = sorted((output / "masks" / "train").glob("*.png"))
    assert len(masks) == sum(drive == "day_1" for drive, _ in painted.labels)
    for path in masks:
        drive, _, stamp = path.stem.rpartition("_")
        index = painted.stamps(drive).index(int(stamp))
        picture = Image.open(path)
        assert picture.mode == "L"
        expected = painted.value_map(drive, index, lambda one: one.class_id, 255)
        assert np.array_equal(np.array(picture), expected)
        assert (output / "images" / "train" / path.name).exists()


def test_the_table_names_every_value_of_the_maps(painted: Painted, export: Export) -> None:
    output = export("semantic-png")
    known = {one["id"]: one for one in json.loads((output / "classes.json").read_text())}
    for path in (output / "masks").rglob("*.png"):
        assert set(np.unique(np.array(Image.open(path)))) <= set(known)
    assert known[255]["name"] == "void"
    assert [known[k]["isthing"] for k in range(6)] == [0, 1, 0, 0, 1, 0]
