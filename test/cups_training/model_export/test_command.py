"""`cups export-model` up to where weights are read, and the images that it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cups_training.cli import main
from cups_training.model_export.sample_images import sample_images
from cups_training.whole_files import FileError, write_png


def test_a_size_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    assert main(["export-model", "w.ckpt", str(tmp_path / "m.onnx"), "--size", "512"]) == 1
    assert "--size 512: expected height x width" in capsys.readouterr().err
    assert main(["export-model", str(tmp_path / "w.ckpt"), str(tmp_path / "m.onnx")]) == 1
    assert "w.ckpt" in capsys.readouterr().err


def test_images_are_spread_over_the_folder_and_gray_ones_become_rgb(tmp_path: Path) -> None:
    for number in range(9):
        gray = np.full((4, 6), number, np.uint8)
        picture = gray if number % 2 else np.repeat(gray[..., None], 3, 2)
        write_png(tmp_path / f"{number}.png", picture)
    found = sample_images(tmp_path, 5)
    assert [int(image[0, 0, 0]) for image in found] == [0, 2, 4, 6, 8]
    assert len(sample_images(tmp_path, 100)) == 9
    assert all(image.shape == (4, 6, 3) for image in sample_images(tmp_path, 100))


def test_a_folder_without_pictures_and_a_picture_of_16_bits_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="found neither"):
        sample_images(tmp_path, 3)
    write_png(tmp_path / "deep.png", np.zeros((4, 4), np.uint16))
    with pytest.raises(FileError, match="8 bits"):
        sample_images(tmp_path, 3)
