from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_core.errors import CupsError
from cups_training.contact_sheet import contact_sheet
from cups_training.demo.video import write_video


def picture(color: tuple[int, int, int], shape: tuple[int, int] = (64, 96)) -> np.ndarray:
    return np.full((*shape, 3), color, np.uint8)


COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


@pytest.mark.parametrize("shape", [(64, 96), (65, 97)], ids=["even", "odd"])
def test_a_video_plays_back_what_was_written(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "video.mp4"
    assert write_video(path, (picture(color, shape) for color in COLORS), 10) == 3
    reader = cv2.VideoCapture(str(path))
    assert reader.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    for color in COLORS:
        found, image = reader.read()
        assert found
        assert image.shape == (64, 96, 3)
        assert np.abs(image[32, 48, ::-1].astype(int) - color).max() < 12
    assert not reader.read()[0]


def test_a_size_that_changes_is_told_with_the_place(tmp_path: Path) -> None:
    changing = [picture(COLORS[0]), picture(COLORS[1], (32, 48))]
    with pytest.raises(CupsError, match="changes from 96x64 to 48x32 at picture 1"):
        write_video(tmp_path / "video.mp4", changing, 10)


def test_a_video_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CupsError, match="no picture"):
        write_video(tmp_path / "video.mp4", [], 10)


def test_a_sheet_has_every_picture_in_its_cell() -> None:
    pictures = [picture(color) for color in COLORS]
    sheet = contact_sheet(pictures, ["a", "b", "c"], columns=2, width=48)
    cells = [sheet[8 + 16, 8 + 24], sheet[8 + 16, 8 + 56 + 24], sheet[8 + 66 + 16, 8 + 24]]
    assert [tuple(int(value) for value in cell) for cell in cells] == COLORS
