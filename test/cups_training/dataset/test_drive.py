from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cups_core.errors import CalibrationError, InputError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive, DriveWriter
from cups_training.whole_files import FileError, write_json, write_json_lines, write_png

RIG = StereoRig(np.array([[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]]), 0.25, 64, 48)


def frames(count: int = 3) -> list[StereoFrame]:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, 2, 48, 64, 3), dtype=np.uint8)
    return [
        StereoFrame(left, right, 10 + 100 * index, RIG)
        for index, (left, right) in enumerate(pictures)
    ]


@pytest.fixture
def drive_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "drives" / "first"
    writer = DriveWriter(folder, RIG)
    for frame in frames():
        writer.add(frame)
    writer.finish([frame.stamp_ns for frame in frames()])
    return folder


def test_a_drive_comes_back_as_it_was_written(drive_folder: Path) -> None:
    drive = Drive(drive_folder)
    assert len(drive) == 3
    for found, expected in zip(drive.frames(), frames(), strict=True):
        assert found.stamp_ns == expected.stamp_ns
        np.testing.assert_array_equal(found.left, expected.left)
        np.testing.assert_array_equal(found.right, expected.right)
    np.testing.assert_array_equal(drive.rig.K, RIG.K)
    assert drive.rig.baseline_m == RIG.baseline_m


def test_gray_pictures_are_read_as_rgb(drive_folder: Path) -> None:
    gray = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64).astype(np.uint8)
    write_png(drive_folder / "left" / "10.png", gray)
    np.testing.assert_array_equal(Drive(drive_folder).frame(0).left, np.dstack([gray] * 3))


def test_an_unfinished_drive_is_no_drive(tmp_path: Path) -> None:
    DriveWriter(tmp_path / "drives" / "half", RIG).add(frames()[0])
    with pytest.raises(FileError, match=r"expected a dataset with drives/<name>/frames\.jsonl"):
        Dataset(tmp_path)


def test_a_writer_cannot_finish_without_its_pictures(tmp_path: Path) -> None:
    writer = DriveWriter(tmp_path / "drive", RIG)
    writer.add(frames()[0])
    assert writer.has(10)
    with pytest.raises(FileError, match="pictures of 1 frames are missing"):
        writer.finish([10, 110])


def test_a_folder_takes_no_frames_of_another_rig(drive_folder: Path) -> None:
    with pytest.raises(FileError, match="holds a drive of another rig"):
        DriveWriter(drive_folder, dataclasses.replace(RIG, baseline_m=0.3))


def test_a_picture_of_another_size_than_the_calibration_is_named(drive_folder: Path) -> None:
    write_png(drive_folder / "right" / "110.png", np.zeros((40, 64, 3), np.uint8))
    with pytest.raises(InputError, match="right image at 110 ns"):
        Drive(drive_folder).frame(1)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([10, 10], "expected ascending stamps"),
        ([110, 10], "expected ascending stamps"),
        (["soon"], "expected an integer stamp_ns"),
    ],
)
def test_stamps_must_ascend(drive_folder: Path, stamps: list[object], message: str) -> None:
    write_json_lines(drive_folder / "frames.jsonl", [{"stamp_ns": stamp} for stamp in stamps])
    with pytest.raises(FileError, match=message):
        Drive(drive_folder)


def test_a_calibration_without_baseline_is_refused(drive_folder: Path) -> None:
    write_json(drive_folder / "calibration.json", {"K": RIG.K.tolist(), "width": 64, "height": 48})
    with pytest.raises(CalibrationError, match="baseline_m"):
        Drive(drive_folder)


def test_the_fingerprint_tells_drives_apart(drive_folder: Path, tmp_path: Path) -> None:
    before = Drive(drive_folder).fingerprint()
    assert Drive(drive_folder).fingerprint() == before
    write_json_lines(drive_folder / "frames.jsonl", [{"stamp_ns": 10}])
    assert Drive(drive_folder).fingerprint() != before
