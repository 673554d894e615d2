"""Folders of pictures in the layouts of the field give their drives: files, stamps, calibration."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_core.camera_calibration import stereo_rig
from cups_core.errors import CalibrationError, InputError, RecordingError
from cups_core.recording.image_folders import ImageFolder, find_image_folders, read_picture
from cups_core.rectification import StereoRectification

WIDTH, HEIGHT = 24, 16
SECOND = 1_000_000_000
RAW_CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
"""


def write_picture(file: Path, value: int, color: bool = True) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = (HEIGHT, WIDTH, 3) if color else (HEIGHT, WIDTH)
    cv2.imwrite(str(file), np.full(shape, value, np.uint8))


def numbers(*values: float) -> str:
    return " ".join(f"{value:e}" for value in values)


def projection(shift: float) -> str:
    return numbers(12, 0, 11.5, shift, 0, 12, 7.5, 0.01, 0, 0, 1, 0.002)


def write_kitti_raw(root: Path, drive: str, frames: tuple[int, ...], lines: int) -> Path:
    """A synced drive as the benchmark's archives unpack, with what pykitti wants besides."""
    day = root / "2011_09_26"
    folder = day / f"2011_09_26_drive_{drive}_sync"
    start = datetime(2011, 9, 26, 13, 2, 25, 594360, tzinfo=timezone.utc)
    for camera, late in ((0, 0), (1, 100), (2, 200), (3, 300)):
        for frame in frames:
            value = 10 * camera + frame
            write_picture(folder / f"image_0{camera}/data/{frame:010d}.png", value, camera > 1)
        stamps = [start + timedelta(microseconds=103_500 * i + late) for i in range(lines)]
        text = "".join(f"{stamp:%Y-%m-%d %H:%M:%S.%f}375\n" for stamp in stamps)
        (folder / f"image_0{camera}/timestamps.txt").write_text(text)
        (folder / "oxts/data").mkdir(parents=True, exist_ok=True)
        (folder / "oxts/timestamps.txt").write_text(text)
    identity = numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    cameras = [
        f"S_0{i}: {numbers(1392, 512)}\nK_0{i}: {numbers(9, 0, 6, 0, 9, 2, 0, 0, 1)}\n"
        f"D_0{i}: {numbers(-0.37, 0.2, 0, 0, -0.07)}\nR_0{i}: {identity}\n"
        f"T_0{i}: {numbers(0, 0, 0)}\nS_rect_0{i}: {numbers(WIDTH, HEIGHT)}\n"
        f"R_rect_0{i}: {identity}\nP_rect_0{i}: {projection(shift)}\n"
        for i, shift in enumerate((0, -6.4, 0.5, -5.9))
    ]
    (day / "calib_cam_to_cam.txt").write_text(RAW_CALIBRATION + "".join(cameras))
    rigid = f"R: {identity}\nT: {numbers(0.1, 0.2, 0.3)}\n"
    for name in ("calib_velo_to_cam.txt", "calib_imu_to_velo.txt"):
        (day / name).write_text(rigid)
    return folder


def write_kitti_odometry(root: Path, sequence: str, frames: int) -> Path:
    folder = root / "sequences" / sequence
    for frame in range(frames):
        for camera in (2, 3):
            write_picture(folder / f"image_{camera}/{frame:06d}.png", 10 * camera + frame)
    rows = [f"P{i}: {projection(shift)}\n" for i, shift in enumerate((0, -6.4, 0.5, -5.9))]
    (folder / "calib.txt").write_text(
        "".join(rows) + f"Tr: {numbers(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)}\n"
    )
    (folder / "times.txt").write_text("".join(f"{0.1037 * i:e}\n" for i in range(frames)))
    return folder


def write_cityscapes(root: Path, frames: dict[str, tuple[int, ...]]) -> None:
    """Snippets of drives, as the packages *_sequence and camera unpack into one folder."""
    for drive, found in frames.items():
        city = drive.partition("_")[0]
        for number in found:
            name = f"{drive}_{number:06d}"
            for side, value in (("left", 60), ("right", 90)):
                folder = root / f"{side}Img8bit_sequence/val/{city}"
                write_picture(folder / f"{name}_{side}Img8bit.png", value + number % 30)
        write_cityscapes_camera(root, f"val/{city}/{drive}_{found[0]:06d}", 0.209313)


def write_cityscapes_camera(root: Path, name: str, baseline_m: float) -> None:
    camera = {
        "extrinsic": {"baseline": baseline_m, "pitch": 0.038, "roll": 0.0, "x": 1.7, "y": 0.1},
        "intrinsic": {"fx": 22.6, "fy": 22.5, "u0": 10.9, "v0": 5.1},
    }
    file = root / "camera" / f"{name}_camera.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(camera))


def write_euroc(root: Path, left: list[int], right: list[int]) -> None:
    for camera, stamps, along in ((0, left, 0.0), (1, right, 0.11)):
        folder = root / f"mav0/cam{camera}"
        for stamp in stamps:
            write_picture(folder / f"data/{stamp}.png", 50 + camera, color=False)
        pose = np.eye(4)
        pose[0, 3] = along
        (folder / "sensor.yaml").write_text(
            "%YAML:1.0\nsensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n"
            f"  data: {pose.ravel().tolist()}\nrate_hz: 20\nresolution: [{WIDTH}, {HEIGHT}]\n"
            f"camera_model: pinhole\nintrinsics: [20.0, 20.1, {11.5 + camera}, 7.5]\n"
            "distortion_model: radial-tangential\n"
            "distortion_coefficients: [-0.28, 0.07, 0.0002, 0.00002]\n"
        )


def one(path: Path) -> ImageFolder:
    (folder,) = find_image_folders(path)
    return folder


def test_kitti_raw_drives_are_what_pykitti_reads(tmp_path: Path) -> None:
    pykitti = pytest.importorskip("pykitti", reason="pip install pykitti")
    write_kitti_raw(tmp_path, "0001", (0, 1, 2, 3), lines=4)
    write_kitti_raw(tmp_path, "0009", (0, 1), lines=2)
    folders = find_image_folders(tmp_path)
    names = [f"2011_09_26_drive_{drive}_sync" for drive in ("0001", "0009")]
    assert [folder.name for folder in folders] == names
    expected = pykitti.raw(str(tmp_path), "2011_09_26", "0001")
    left, right = folders[0].cameras
    np.testing.assert_allclose(left.P, expected.calib.P_rect_20)
    np.testing.assert_allclose(right.P, expected.calib.P_rect_30)
    rig = stereo_rig(left, right, "left", "right")
    assert rig.baseline_m == pytest.approx(expected.calib.b_rgb)
    np.testing.assert_allclose(rig.K, expected.calib.K_cam2)
    pairs = folders[0].pairs()
    assert [str(pair.left) for pair in pairs] == expected.cam2_files
    assert [str(pair.right) for pair in pairs] == expected.cam3_files
    for index, pair in enumerate(pairs):
        for file, picture in zip((pair.left, pair.right), expected.get_rgb(index), strict=True):
            np.testing.assert_array_equal(read_picture(file), np.asarray(picture))
    # pykitti reads the stamps of the last sensor that was written, down to microseconds.
    for stamp, pair in zip(expected.timestamps, pairs, strict=True):
        utc = stamp.replace(tzinfo=timezone.utc)
        microseconds = round(
            (utc - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(microseconds=1)
        )
        assert pair.right_stamp_ns // 1000 == microseconds
        assert pair.right_stamp_ns % 1000 == 375
        assert pair.right_stamp_ns - pair.stamp_ns == 100_000


def test_kitti_odometry_is_what_pykitti_reads(tmp_path: Path) -> None:
    pykitti = pytest.importorskip("pykitti", reason="pip install pykitti")
    folder = write_kitti_odometry(tmp_path, "04", 3)
    expected = pykitti.odometry(str(tmp_path), "04")
    found = one(folder)
    assert found.name == "04"
    rig = stereo_rig(*found.cameras, "left", "right")
    np.testing.assert_allclose(rig.K, expected.calib.K_cam2)
    assert rig.baseline_m == pytest.approx(expected.calib.b_rgb)
    pairs = found.pairs()
    assert [str(pair.left) for pair in pairs] == expected.cam2_files
    elapsed = [pair.stamp_ns - pairs[0].stamp_ns for pair in pairs]
    assert elapsed == [round(t.total_seconds() * SECOND) for t in expected.timestamps]
    # A stamp of 0 would mean "the latest" to ROS.
    assert pairs[0].stamp_ns == SECOND


def test_a_picture_that_kitti_left_out_does_not_shift_the_stamps(tmp_path: Path) -> None:
    pairs = one(write_kitti_raw(tmp_path, "0009", (0, 1, 3), lines=4)).pairs()
    steps = np.diff([pair.stamp_ns for pair in pairs])
    assert steps.tolist() == [103_500_000, 207_000_000]


def test_color_cameras_come_before_gray_ones(tmp_path: Path) -> None:
    folder = one(write_kitti_raw(tmp_path, "0001", (0,), lines=1))
    assert read_picture(folder.pairs()[0].left).ndim == 3


def test_a_cityscapes_drive_is_a_city_and_a_sequence(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, {"frankfurt_000000": (0, 1, 2), "munster_000001": (29, 30, 100)})
    folders = find_image_folders(tmp_path)
    assert [folder.name for folder in folders] == ["frankfurt_000000", "munster_000001"]
    pairs = folders[1].pairs()
    assert [pair.left.name for pair in pairs] == [
        f"munster_000001_{number:06d}_leftImg8bit.png" for number in (29, 30, 100)
    ]
    assert all(pair.right.is_file() for pair in pairs)
    # 17 frames a second; snippets of one drive lie as far apart as their frames.
    steps = np.diff([pair.stamp_ns for pair in pairs]) * 17 / SECOND
    np.testing.assert_allclose(steps, [1, 70], rtol=1e-6)
    rig = stereo_rig(*folders[1].cameras, "left", "right")
    assert (rig.fx, rig.fy, rig.cx, rig.cy) == (22.6, 22.5, 10.9, 5.1)
    assert rig.baseline_m == pytest.approx(0.209313)
    assert rig.shape == (HEIGHT, WIDTH)


def test_a_cityscapes_drive_of_two_calibrations_is_refused(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, {"frankfurt_000000": (0, 1)})
    write_cityscapes_camera(tmp_path, "val/frankfurt/frankfurt_000000_000001", 0.22)
    with pytest.raises(CalibrationError, match="000001_camera.json: expected the calibration of"):
        _ = one(tmp_path).cameras


def test_cityscapes_without_its_cameras_names_the_package(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, {"frankfurt_000000": (0, 1)})
    for file in tmp_path.rglob("*_camera.json"):
        file.unlink()
    with pytest.raises(RecordingError, match="unpack Cityscapes' camera package"):
        find_image_folders(tmp_path)


def test_euroc_is_rectified_with_its_extrinsics(tmp_path: Path) -> None:
    stamps = [1_403_636_579_763_555_584 + 50_000_000 * i for i in range(3)]
    write_euroc(tmp_path / "MH_01", stamps, stamps[1:])
    folder = one(tmp_path)
    assert folder.name == "MH_01"
    assert [pair.stamp_ns for pair in folder.pairs()] == stamps[1:]
    assert [file.stem for file in folder.unpaired] == [str(stamps[0])]
    rectification = StereoRectification(*folder.cameras)
    assert not rectification.is_identity
    assert rectification.rig.baseline_m == pytest.approx(0.11)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for side in ("left", "right"):
        for number in range(3):
            write_picture(tmp_path / side / f"{number:04d}.png", 10 + number)
    (tmp_path / "calib.txt").write_text(f"{projection(0)}\n{projection(-6)}\n")
    return tmp_path


def test_plain_folders_count_frames_at_a_rate(plain: Path) -> None:
    (folder,) = find_image_folders(plain, rate_hz=20.0)
    stamps = [pair.stamp_ns for pair in folder.pairs()]
    assert stamps == [SECOND, SECOND + 50_000_000, SECOND + 100_000_000]
    assert stereo_rig(*folder.cameras, "left", "right").baseline_m == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("lines", "stamps"),
    [
        (["1.5", "1.6", "1.7"], [1_500_000_000, 1_600_000_000, 1_700_000_000]),
        (["1e-1", "2e-1", "3e-1"], [100_000_000, 200_000_000, 300_000_000]),
        (
            [str(1_700_000_000_123_456_789 + i) for i in range(3)],
            [1_700_000_000_123_456_789 + i for i in range(3)],
        ),
        (
            [f"1970-01-01 00:00:0{i}.000000001" for i in range(1, 4)],
            [i * SECOND + 1 for i in range(1, 4)],
        ),
    ],
)
def test_times_in_a_file_are_the_stamps(plain: Path, lines: list[str], stamps: list[int]) -> None:
    (plain / "timestamps.txt").write_text("\n".join(lines))
    assert [pair.stamp_ns for pair in one(plain).pairs()] == stamps


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1.5\n1.6\n", "expected a time for each of 3 pictures, found 2"),
        ("1.5\nnoon\n1.7\n", "expected seconds, nanoseconds or a date .*'noon'"),
        ("1.5\ninf\n1.7\n", "expected seconds, nanoseconds or a date .*'inf'"),
    ],
)
def test_times_that_cannot_be_used_say_why(plain: Path, text: str, sentence: str) -> None:
    (plain / "timestamps.txt").write_text(text)
    with pytest.raises(RecordingError, match=f"timestamps.txt: {sentence}"):
        one(plain).pairs()


def test_camera_calibration_files_bring_their_distortion(plain: Path) -> None:
    (plain / "calib.txt").unlink()
    for side, shift in (("left", 0), ("right", -6)):
        (plain / f"{side}.yaml").write_text(
            f"image_width: {WIDTH}\nimage_height: {HEIGHT}\ncamera_name: {side}_camera\n"
            "camera_matrix: {rows: 3, cols: 3, data: [13, 0, 11, 0, 13, 8, 0, 0, 1]}\n"
            "distortion_model: plumb_bob\n"
            "distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}\n"
            "rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n"
            f"projection_matrix: {{data: [12, 0, 11.5, {shift}, 0, 12, 7.5, 0, 0, 0, 1, 0]}}\n"
        )
    left, right = one(plain).cameras
    assert left.D.tolist() == right.D.tolist() == [-0.3, 0.1, 0, 0, 0]
    assert right.frame_id == "right_camera"
    assert StereoRectification(left, right).rig.baseline_m == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("calib.txt", "P0: 1 2 3\n", "expected P0 and P1 with 12 numbers each, found neither"),
        ("calib.txt", "P0: " + "x " * 12, "expected numbers"),
        ("left.yaml", "just words", "expected names and values"),
        ("left.yaml", "projection_matrix: {data: [1, 2]}", "expected projection_matrix with 12"),
        ("left.yaml", "a: [", "expected YAML"),
    ],
)
def test_a_calibration_file_that_is_none_says_what_is_expected(
    plain: Path, name: str, text: str, sentence: str
) -> None:
    (plain / name).write_text(text)
    if name == "left.yaml":
        (plain / "right.yaml").write_text(text)
    with pytest.raises(CalibrationError, match=f"{name}: {sentence}"):
        _ = one(plain).cameras


def test_no_drive_says_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(RecordingError, match="expected two folders of pictures .* found notes.txt"):
        find_image_folders(tmp_path)


def test_two_drives_of_one_name_are_refused(tmp_path: Path) -> None:
    for part in ("a", "b"):
        write_kitti_odometry(tmp_path / part, "00", 1)
    with pytest.raises(RecordingError, match="found 00 more than once"):
        find_image_folders(tmp_path)


def test_a_picture_that_is_none_says_which(plain: Path) -> None:
    (plain / "left/0001.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="left/0001.png: expected a PNG or JPEG picture"):
        read_picture(plain / "left/0001.png")
    with pytest.raises(RecordingError, match="gone.png: cannot be read"):
        read_picture(plain / "left/gone.png")
