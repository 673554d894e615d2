"""Folders of pictures in the layouts of the field become drives, bit for bit where possible."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_training.cli import main
from cups_training.dataset.dataset import Dataset

WIDTH, HEIGHT = 240, 120
DISPARITY = 9
SECOND = 1_000_000_000
P = f"200 0 {WIDTH / 2} {{}} 0 200 {HEIGHT / 2} 0 0 0 1 0"


def scene(seed: int) -> NDArray[np.uint8]:
    """A wall of blobs, wider than a picture by its disparity."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (HEIGHT // 4, (WIDTH + DISPARITY + 3) // 4, 3), np.uint8)
    size = (WIDTH + DISPARITY, HEIGHT)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def write_pair(left: Path, right: Path, seed: int) -> None:
    found = scene(seed)
    for file, picture in ((left, found[:, :WIDTH]), (right, found[:, DISPARITY:])):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not as we would compress it, so that passing through can be told.
        cv2.imwrite(str(file), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def write_plain(root: Path, frames: int = 4) -> Path:
    for number in range(frames):
        write_pair(root / f"left/{number:04d}.png", root / f"right/{number:04d}.png", number)
    (root / "calib.txt").write_text(f"P0: {P.format(0)}\nP1: {P.format(-60)}\n")
    return root


def write_kitti_raw(root: Path, drive: str, frames: int = 3) -> Path:
    day = root / "2011_09_26"
    folder = day / f"2011_09_26_drive_{drive}_sync"
    for number in range(frames):
        left, right = (folder / f"image_0{i}/data/{number:010d}.png" for i in (2, 3))
        write_pair(left, right, int(drive) + number)
    for camera, late in ((2, 0), (3, 50)):
        lines = [f"2011-09-26 13:02:2{i}.5000000{late:02d}" for i in range(frames)]
        (folder / f"image_0{camera}/timestamps.txt").write_text("\n".join(lines))
    (day / "calib_cam_to_cam.txt").write_text(
        f"P_rect_02: {P.format(30)}\nP_rect_03: {P.format(-30)}\n"
    )
    return folder


def write_cityscapes(root: Path) -> None:
    for number in (0, 1, 2, 30, 31):
        name = f"ulm_000003_{number:06d}"
        left, right = (
            root / f"{side}Img8bit_sequence/train/ulm/{name}_{side}Img8bit.png"
            for side in ("left", "right")
        )
        write_pair(left, right, number)
    camera = {
        "extrinsic": {"baseline": 0.222126, "pitch": 0.038, "x": 1.7, "y": 0.1, "z": 1.22},
        "intrinsic": {"fx": 226.2, "fy": 226.5, "u0": 109.6, "v0": 51.3},
    }
    file = root / "camera/train/ulm/ulm_000003_000019_camera.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(camera))


def test_kitti_raw_drives_keep_their_pictures_bit_for_bit(tmp_path: Path) -> None:
    folders = [write_kitti_raw(tmp_path / "kitti", drive) for drive in ("0001", "0009")]
    assert main(["import", str(tmp_path / "kitti"), str(tmp_path / "dataset")]) == 0
    dataset = Dataset(tmp_path / "dataset")
    assert [drive.name for drive in dataset.drives] == [folder.name for folder in folders]
    drive = dataset.drives[1]
    # 13:02:20.5 UTC on that day.
    assert drive.stamps_ns == tuple(1_317_042_140_500_000_000 + i * SECOND for i in range(3))
    assert [row["right_stamp_ns"] for row in drive.rows] == [s + 50 for s in drive.stamps_ns]
    for index in range(3):
        for side, camera in (("left", 2), ("right", 3)):
            recorded = folders[1] / f"image_0{camera}/data/{index:010d}.png"
            assert drive.picture(index, side).read_bytes() == recorded.read_bytes()
    assert drive.rig.baseline_m == pytest.approx(0.3)
    frame = drive.frame(0)
    np.testing.assert_array_equal(frame.left[:, DISPARITY:], frame.right[:, :-DISPARITY])


def test_cityscapes_snippets_become_clips_of_their_drive(tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "cityscapes")
    assert main(["import", str(tmp_path / "cityscapes"), str(tmp_path / "dataset")]) == 0
    (drive,) = Dataset(tmp_path / "dataset").drives
    assert drive.name == "ulm_000003"
    assert drive.clips == (0, 0, 0, 1, 1)
    steps = np.diff(drive.stamps_ns) * 17 / SECOND
    np.testing.assert_allclose(steps, [1, 1, 28, 1], rtol=1e-6)
    assert (drive.rig.fx, drive.rig.fy, drive.rig.cx, drive.rig.cy) == (226.2, 226.5, 109.6, 51.3)
    assert drive.rig.baseline_m == pytest.approx(0.222126)


def test_the_manifest_says_where_pictures_stamps_and_calibration_come_from(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "walk")
    given = ["import", str(folder), str(tmp_path / "dataset"), "--rate", "25"]
    assert main(given) == 0
    manifest = json.loads((tmp_path / "dataset/manifest.json").read_text())
    source = manifest["drives"]["walk"]["source"]
    assert source["kind"] == "image folder"
    assert source["stamps"] == "25 frames per second"
    digest = hashlib.sha256((folder / "calib.txt").read_bytes()).hexdigest()
    assert source["calibration"] == [{"name": "calib.txt", "sha256": digest}]
    assert [file["name"] for file in source["files"]] == ["4 left pictures", "4 right pictures"]
    assert manifest["drives"]["walk"]["rig"]["verdict"].startswith("rectified and in order")


def test_the_same_folder_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for place in ("a", "b"):
        write_plain(tmp_path / place / "walk")
        root = tmp_path / place / "dataset"
        for _ in range(2):
            assert main(["import", str(tmp_path / place / "walk"), str(root)]) == 0
        files = sorted(file for file in root.rglob("*") if file.is_file())
        found.append({str(file.relative_to(root)): file.read_bytes() for file in files})
    assert found[0] == found[1]
    assert len(found[0]) > 10


def test_raw_pictures_are_rectified_with_their_calibration(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "walk")
    (folder / "calib.txt").unlink()
    for side, shift in (("left", 0), ("right", -60)):
        numbers = P.format(shift).replace(" ", ", ")
        (folder / f"{side}.yaml").write_text(
            f"image_width: {WIDTH}\nimage_height: {HEIGHT}\ncamera_name: {side}\n"
            f"camera_matrix: {{data: [200, 0, {WIDTH / 2}, 0, 200, {HEIGHT / 2}, 0, 0, 1]}}\n"
            "distortion_model: plumb_bob\ndistortion_coefficients: {data: [-0.1, 0, 0, 0, 0]}\n"
            "rectification_matrix: {data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n"
            f"projection_matrix: {{data: [{numbers}]}}\n"
        )
    words = ["--set", "crop_invalid=true", "--set", "validate=off"]
    assert main(["import", str(folder), str(tmp_path / "dataset"), *words]) == 0
    (drive,) = Dataset(tmp_path / "dataset").drives
    calibration = json.loads((drive.path / "calibration.json").read_text())
    text = json.dumps(calibration)
    assert '"plumb_bob"' in text
    assert "[-0.1, 0.0, 0.0, 0.0, 0.0]" in text
    assert '"is_identity": false' in text
    assert drive.frame(0).left.shape == (*drive.rig.shape, 3)
    # A barrel is pulled outwards: the corners have nothing to show and are cropped.
    assert drive.rig.width < WIDTH or '"invalid_share": 0.0' in text
    given = ["import", str(folder), str(tmp_path / "as_it_is"), "--set", "rectify=no", *words]
    assert main(given) == 0
    (drive,) = Dataset(tmp_path / "as_it_is").drives
    assert drive.picture(0, "left").read_bytes() == (folder / "left/0000.png").read_bytes()


def test_a_crop_and_a_size_move_the_rig_along(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "walk")
    words = ["--set", "crop=200x100+20+10", "--set", "size=100x50"]
    assert main(["import", str(folder), str(tmp_path / "dataset"), *words]) == 0
    (drive,) = Dataset(tmp_path / "dataset").drives
    assert drive.rig.shape == (50, 100)
    assert drive.rig.fx == 100
    assert drive.rig.cx == pytest.approx((WIDTH / 2 - 20 + 0.5) / 2 - 0.5)


def test_pictures_without_partner_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_plain(tmp_path / "walk")
    (folder / "right/0002.png").unlink()
    assert main(["import", str(folder), str(tmp_path / "dataset"), "--json"]) == 3
    (told,) = json.loads(capsys.readouterr().out)["recordings"]
    assert told["frames"] == 3
    assert told["dropped"] == {"left: no picture of the other camera": 1}


def test_a_damaged_picture_costs_its_frame_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_plain(tmp_path / "walk")
    damaged = folder / "left/0001.png"
    damaged.write_bytes(damaged.read_bytes()[:500])
    assert main(["import", str(folder), str(tmp_path / "dataset"), "--json"]) == 3
    (told,) = json.loads(capsys.readouterr().out)["recordings"]
    assert told["frames"] == 3
    assert told["dropped"] == {"left: cannot be decoded": 1}


def test_swapped_cameras_are_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_plain(tmp_path / "walk")
    for old, new in (("left", "kept"), ("right", "left"), ("kept", "right")):
        (folder / old).rename(folder / new)
    assert main(["import", str(folder), str(tmp_path / "dataset")]) == 1
    assert "left and right are swapped" in capsys.readouterr().err


def test_one_bad_drive_does_not_keep_the_others_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plain(tmp_path / "drives/good")
    bad = write_plain(tmp_path / "drives/bad")
    (bad / "calib.txt").write_text("P0: 1 2 3\n")
    assert main(["import", str(tmp_path / "drives"), str(tmp_path / "dataset")]) == 1
    assert "calib.txt: expected P0 and P1" in capsys.readouterr().err
    assert [drive.name for drive in Dataset(tmp_path / "dataset").drives] == ["good"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--drives", "paris_*"], "--drives paris_*: expected one of walk"),
        (["--rate", "0"], "--rate: expected frames per second, found 0"),
        (["--set", "sizes=1x1"], "unknown setting 'sizes': did you mean 'size'"),
    ],
)
def test_arguments_that_make_no_sense_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    folder = write_plain(tmp_path / "walk")
    assert main(["import", str(folder), str(tmp_path / "dataset"), *words]) == 1
    assert sentence in capsys.readouterr().err
