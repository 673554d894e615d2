"""The Hugging Face folder: metadata and card by plain readers, and by `datasets` where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from .conftest import RIG, Export, Painted


def rows(output: Path, split: str) -> list[dict[str, Any]]:
    lines = (output / split / "metadata.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_line_names_files_that_are_there(painted: Painted, export: Export) -> None:
    output = export("hugging-face")
    found = rows(output, "train")
    assert [row["stamp_ns"] for row in found] == [
        stamp for drive, stamp in sorted(painted.labels) if drive == "day_1"
    ]
    for row in found:
        for column, side in (("file_name", "left"), ("right_file_name", "right")):
            picture = np.array(Image.open(output / "train" / row[column]))
            assert np.array_equal(picture, painted.pictures["day_1", row["stamp_ns"], side])
        assert (row["fx"], row["cy"], row["baseline_m"]) == (RIG.fx, RIG.cy, RIG.baseline_m)
        ids = np.array(Image.open(output / "train" / row["panoptic_file_name"])).astype(int)
        present = set(np.unique(ids @ [1, 256, 65536]).tolist()) - {0}
        assert present == {segment["id"] for segment in row["segments"]}


def test_the_card_has_front_matter_that_lists_the_splits(export: Export) -> None:
    text = (export("hugging-face", "--set", "license=cc-by-4.0") / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["license"] == "cc-by-4.0"
    assert card["size_categories"] == ["n<1K"]
    assert card["configs"][0]["data_files"] == [
        {"split": "train", "path": "train/**"},
        {"split": "validation", "path": "val/**"},
    ]
    assert "| train | 6 |" in body
    assert "thing_4" in body


def test_the_card_repeats_what_the_dataset_says_of_itself(own: Painted, export: Export) -> None:
    card = {"licence": "cc-by-sa-4.0", "consent": "all agreed", "location": ""}
    (own.root / "manifest.json").write_text(json.dumps({"card": card}))
    text = (export("hugging-face", root=own.root) / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "cc-by-sa-4.0"
    assert "Consent: all agreed" in text
    assert "Location" not in text
    assert "as the cameras saw them" in text


def test_without_labels_there_are_pictures_and_rig(export: Export) -> None:
    output = export("hugging-face", recipe="")
    assert len(rows(output, "train")) == 7
    assert "segments" not in rows(output, "train")[0]
    assert not (output / "train" / "panoptic").exists()


def test_datasets_loads_pictures_and_columns(
    painted: Painted, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    output = export("hugging-face")
    read = datasets.load_dataset(str(output), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in read.items()} == {"train": 6, "validation": 3}
    for row in read["train"]:
        for column, side in (("image", "left"), ("right", "right")):
            expected = painted.pictures["day_1", row["stamp_ns"], side]
            assert np.array_equal(np.array(row[column]), expected)
        ids = np.array(row["panoptic"]).astype(int) @ [1, 256, 65536]
        for segment in row["segments"]:
            assert (ids == segment["id"]).sum() == segment["area"]
