"""`cups predict`: COCO maps, their JSON and overlays; what cannot be used is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_training.cli import main
from cups_training.whole_files import read_picture, write_png

from ...cups_core.runtime.small_graphs import detections, write_cascade

SIZE = (90, 160)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "street.png"
    write_png(path, np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8))
    return path


def predicted(*words: object) -> int:
    return main(["predict", *map(str, words), "--threads", "1"])


def test_the_map_and_the_json_tell_the_same(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert predicted(write_cascade(tmp_path), image, "--output", output) == 0
    content = json.loads((output / "panoptic.json").read_text())
    (annotation,) = content["annotations"]
    pixels = read_picture(output / "panoptic" / annotation["file_name"]).astype(int)
    ids = pixels @ (1, 256, 65536)
    areas = {item["id"]: item["area"] for item in annotation["segments_info"]}
    assert areas == {number: int((ids == number).sum()) for number in np.unique(ids) if number}
    known = {item["id"]: item["name"] for item in content["categories"]}
    assert [known[item["category_id"]] for item in annotation["segments_info"]][:3] == [
        "car",
        "person",
        "car",
    ]
    assert read_picture(output / "overlay" / "street.png").shape == (*SIZE, 3)
    said = capsys.readouterr()
    assert "backend       ONNX Runtime" in said.out
    assert "first frame" in said.out
    assert "steady" in said.out
    assert "small.onnx runs on ONNX Runtime" in said.err


def test_colors_and_names_come_from_the_file_of_names(image: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.yaml"
    names.write_text("classes: {11: {name: rider, color: [1, 2, 3]}, 3: {is_ignored: true}}")
    output = tmp_path / "out"
    model = write_cascade(tmp_path, detections([[0, 0, 128, 64]], (0.9,), (1,)))
    assert predicted(model, image, "--output", output, "--names", names) == 0
    pixels = read_picture(output / "panoptic" / "street.png")
    assert (pixels == (1, 2, 3)).all(axis=-1).mean() > 0.99  # all but the corners of the mask
    categories = json.loads((output / "panoptic.json").read_text())["categories"]
    assert [item["name"] for item in categories] == ["road", "sky", "rider", "wall"]


def test_an_image_that_cannot_be_used_is_named_and_the_others_go_on(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gray, broken = tmp_path / "gray.png", tmp_path / "broken.png"
    cv2.imwrite(str(gray), np.zeros(SIZE, np.uint8))
    broken.write_bytes(b"no picture")
    output = tmp_path / "out"
    words = (write_cascade(tmp_path), gray, broken, image, "--output", output)
    assert predicted(*words) == 1
    said = capsys.readouterr().err
    assert f"{gray}: image: expected uint8 RGB (H, W, 3), found uint8 {SIZE}" in said
    assert f"{broken}: expected an image" in said
    assert "2 of 3 images could not be used" in said
    assert len(json.loads((output / "panoptic.json").read_text())["images"]) == 1


def test_images_of_one_name_are_refused(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predicted(write_cascade(tmp_path), image, tmp_path / "other" / "street.png") == 1
    assert "several images are named street" in capsys.readouterr().err


def test_a_damaged_model_is_explained(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_cascade(tmp_path)
    model.write_bytes(model.read_bytes()[:100])
    assert predicted(model, image) == 1
    assert "100 bytes, cut off or of another model" in capsys.readouterr().err


def test_a_model_of_broken_numbers_writes_no_map(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constants = detections()
    constants["scores"][0] = np.nan
    output = tmp_path / "out"
    assert predicted(write_cascade(tmp_path, constants), image, "--output", output) == 1
    assert "output scores holds NaN or infinity" in capsys.readouterr().err
    assert not output.exists()
