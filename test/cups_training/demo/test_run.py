"""The demo itself, small: a synthetic drive through player, node and recorder over real DDS."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_training.cli import main
from cups_training.demo.playing import image_transport
from cups_training.demo.truth import read_truth
from cups_training.synthetic.bag import write_bag
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

FRAMES = 15
# Slow enough that a busy machine, late to discover and late to answer, still labels several frames.
RATE_HZ = 3.0


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    pytest.importorskip("embreex")
    return SyntheticDrive(DriveSettings(width=320, height=160, frames=FRAMES, rate_hz=RATE_HZ), 6)


@pytest.fixture(scope="module")
def bag(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drive") / "bag"
    write_bag(drive, path)
    return path


def test_the_truth_of_a_bag_is_that_of_the_drive(drive: SyntheticDrive, bag: Path) -> None:
    found = dict(read_truth(bag))
    assert list(found) == [drive.stamp_ns(index) for index in range(FRAMES)]
    truth, expected = found[drive.stamp_ns(3)], drive.truth(3)
    np.testing.assert_array_equal(truth.movers, expected.moving_instance)
    np.testing.assert_array_equal(
        truth.static_things > 0, (expected.instance > 0) & ~expected.moving
    )
    np.testing.assert_allclose(truth.disparity, expected.disparity)
    assert math.isclose(truth.focal_baseline, drive.rig.focal_baseline, rel_tol=1e-6)


def test_a_folder_of_pictures_has_no_truth_and_travels_raw(tmp_path: Path) -> None:
    assert not list(read_truth(tmp_path))
    assert image_transport(tmp_path) == "raw"


def test_a_drive_ends_in_video_sheet_and_report(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rclpy")
    pytest.importorskip("cups_msgs")
    assert main(["demo", "--drive", str(bag), "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for word in ("played", "latency", "dropped", "foreground IoU", str(tmp_path / "report.html")):
        assert word in printed
    page = (tmp_path / "report.html").read_text()
    assert "Against the exact truth" in page
    assert "data:video/mp4;base64," in page
    assert "$" not in page.partition("</style>")[2].replace("base64", "")[:2000]
    assert cv2.imread(str(tmp_path / "contact_sheet.jpg")) is not None
    assert cv2.VideoCapture(str(tmp_path / "overlay.mp4")).read()[0]


def test_a_drive_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cups_msgs")
    missing = str(tmp_path / "missing")
    assert main(["demo", "--drive", missing, "--output", str(tmp_path / "out")]) == 1
    assert "missing: no such bag or folder" in capsys.readouterr().err
