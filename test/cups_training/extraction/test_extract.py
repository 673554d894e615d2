"""What extraction writes from bags that are all right."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive

from .conftest import (
    BASELINE_M,
    FX,
    HEIGHT,
    PERIOD_NS,
    ROS1,
    ROS2,
    START_NS,
    WIDTH,
    Extract,
    Shot,
    all_bytes,
    bag,
    messages,
    picture,
    rows,
    shots,
    write_ros1,
    write_ros2,
)

COUNT = 8
STAMPS = tuple(START_NS + number * PERIOD_NS for number in range(COUNT))


def drive_of(root: Path) -> Drive:
    (drive,) = Dataset(root).drives
    return drive


def test_a_bag_becomes_a_drive_with_the_recorded_pixels(tmp_path: Path, extract: Extract) -> None:
    code, summary = extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    assert code == 0
    assert summary["recordings"][0]["frames"] == COUNT
    drive = drive_of(tmp_path / "set")
    assert drive.name == "day"
    assert drive.stamps_ns == STAMPS
    assert drive.rig.baseline_m == pytest.approx(BASELINE_M)
    for number, frame in enumerate(drive.frames()):
        np.testing.assert_array_equal(frame.left, picture(number, "left"))
        np.testing.assert_array_equal(frame.right, picture(number, "right"))


def test_frames_say_their_files_clip_and_measures(tmp_path: Path, extract: Extract) -> None:
    extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    (first, *others) = drive_of(tmp_path / "set").rows
    assert first["left"] == f"left/{STAMPS[0]}.png"
    assert first["right_stamp_ns"] == STAMPS[0]
    assert first["clip"] == 0
    assert 0 < first["sharpness"] <= 1
    assert len(others) == COUNT - 1


def test_the_manifest_says_where_everything_comes_from(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots())
    extract(source, tmp_path / "set", "--set", "licence=cc-by-4.0")
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    drive = manifest["drives"]["day"]
    (file,) = drive["source"]["files"]
    known = subprocess.run(["sha256sum", source / "day.mcap"], capture_output=True, check=True)
    assert file["sha256"] == known.stdout.split()[0].decode()
    assert file["bytes"] == (source / "day.mcap").stat().st_size
    assert drive["source"]["topics"]["left_image"]["messages"] == COUNT
    assert drive["configuration"]["pictures"]["format"] == "keep"
    assert manifest["card"]["licence"] == "cc-by-4.0"
    assert manifest["totals"]["frames"] == COUNT
    assert str(tmp_path) not in (tmp_path / "set/manifest.json").read_text()


def test_sha256sum_agrees_with_the_checksums(tmp_path: Path, extract: Extract) -> None:
    extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    for folder in (tmp_path / "set", tmp_path / "set/drives/day"):
        command = ["sha256sum", "--check", "--strict", "checksums.sha256"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        listed = {line.split(": ")[0] for line in done.stdout.splitlines()}
        assert listed == set(all_bytes(folder)) - {
            "checksums.sha256",
            "drives/day/checksums.sha256",
        }


def test_the_same_bag_gives_the_same_bytes_wherever_it_lies(
    tmp_path: Path, extract: Extract
) -> None:
    source = bag(tmp_path / "day", shots())
    elsewhere = Path(shutil.copytree(source, tmp_path / "elsewhere/day"))
    extract(source, tmp_path / "a")
    extract(elsewhere, tmp_path / "b", "--workers", 1)
    assert all_bytes(tmp_path / "a") == all_bytes(tmp_path / "b")


def test_a_finished_drive_is_not_done_again(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots())
    first = extract(source, tmp_path / "set")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "set/drives").rglob("*")}
    assert extract(source, tmp_path / "set") == first
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize(
    ("changed", "field"),
    [("size=48x32", "pictures.size = "), ("least_sharpness=0.1", "pairs.least_sharpness = 0.25")],
)
def test_another_configuration_in_the_same_place_is_refused(
    tmp_path: Path, extract: Extract, changed: str, field: str
) -> None:
    extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    before = all_bytes(tmp_path / "set")
    for name in ("day", "night"):
        other = tmp_path / name
        code, summary = extract(
            other if other.exists() else bag(other, shots(start_ns=START_NS * 2 // 3)),
            tmp_path / "set",
            "--set",
            changed,
        )
        assert code == 1
        assert field in summary["failures"][0]
    assert all_bytes(tmp_path / "set") == before


def test_another_bag_under_the_same_name_is_refused(tmp_path: Path, extract: Extract) -> None:
    extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    (tmp_path / "other").mkdir()
    code, summary = extract(bag(tmp_path / "other/day", shots(5)), tmp_path / "set")
    assert code == 1
    assert "another recording" in summary["failures"][0]
    assert "source.files" in summary["failures"][0]


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
    ],
)
def test_every_storage_gives_the_same_drive(
    tmp_path: Path, extract: Extract, plugin: StoragePlugin, mode: CompressionMode
) -> None:
    expected = extracted(tmp_path / "mcap", messages(ROS2, shots()), extract)
    folder = tmp_path / "other"
    folder.mkdir()
    source = write_ros2(folder / "day", messages(ROS2, shots()), plugin, mode)
    assert extract(source, folder / "set")[0] == 0
    assert tables_and_pictures(folder / "set") == expected


def test_ros1_gives_the_same_drive(tmp_path: Path, extract: Extract) -> None:
    expected = extracted(tmp_path / "mcap", messages(ROS2, shots()), extract)
    source = write_ros1(tmp_path / "day.bag", messages(ROS1, shots()))
    assert extract(source, tmp_path / "set")[0] == 0
    assert tables_and_pictures(tmp_path / "set") == expected


def extracted(folder: Path, items: Any, extract: Extract) -> dict[str, bytes]:
    folder.mkdir()
    assert extract(write_ros2(folder / "day", items), folder / "set")[0] == 0
    return tables_and_pictures(folder / "set")


def tables_and_pictures(root: Path) -> dict[str, bytes]:
    ours = ("frames.jsonl", "pairs.jsonl", "calibration.json", ".png")
    return {name: data for name, data in all_bytes(root).items() if name.endswith(ours)}


def test_bags_of_one_drive_are_joined(tmp_path: Path, extract: Extract) -> None:
    taken = shots()
    first = bag(tmp_path / "a", taken[:8])
    second = bag(tmp_path / "b", taken[8:])
    code, _ = extract(first, second, tmp_path / "set", "--drive", "tour")
    assert code == 0
    drive = drive_of(tmp_path / "set")
    assert (drive.name, drive.stamps_ns) == ("tour", STAMPS)


def test_bags_without_a_drive_name_become_drives_of_their_own(
    tmp_path: Path, extract: Extract
) -> None:
    day, night = bag(tmp_path / "day", shots()), bag(tmp_path / "night", shots(5))
    extract(day, night, tmp_path / "set")
    assert [drive.name for drive in Dataset(tmp_path / "set").drives] == ["day", "night"]


def test_bags_of_one_name_must_be_told_apart(tmp_path: Path, extract: Extract) -> None:
    (tmp_path / "x").mkdir()
    code, summary = extract(
        bag(tmp_path / "day", shots()), bag(tmp_path / "x/day", shots()), tmp_path / "set"
    )
    assert code == 1
    assert "day twice" in summary["error"]


@pytest.mark.parametrize(("suffix", "expected"), [(".png", ".png"), (".jpg", ".jpg")])
def test_compressed_rectified_pictures_pass_bit_for_bit(
    tmp_path: Path, extract: Extract, suffix: str, expected: str
) -> None:
    source = bag(tmp_path / "day", shots(), suffix=suffix)
    code, _ = extract(source, tmp_path / "set", "--set", "measure=false")
    assert code == 0
    for number, path in enumerate(sorted((tmp_path / "set/drives/day/left").iterdir())):
        _, data = cv2.imencode(suffix, picture(number, "left")[..., ::-1])
        assert path.suffix == expected
        assert path.read_bytes() == data.tobytes()
    provenance = json.loads((tmp_path / "set/drives/day/provenance.json").read_text())
    assert provenance["pictures"]["passed_bit_for_bit"] == COUNT


@pytest.mark.parametrize("form", ["png", "webp"])
def test_compressed_pictures_become_another_format_without_loss(
    tmp_path: Path, extract: Extract, form: str
) -> None:
    source = bag(tmp_path / "day", shots(), suffix=".png")
    extract(source, tmp_path / "set", "--set", f"format={form}")
    drive = drive_of(tmp_path / "set")
    assert drive.picture(0, "left").suffix == f".{form}"
    np.testing.assert_array_equal(drive.frame(3).left, picture(3, "left"))


def test_gray_cameras_stay_gray(tmp_path: Path, extract: Extract) -> None:
    gray = [Shot(shot.side, shot.stamp_ns, shot.picture[..., 1], "mono8") for shot in shots()]
    extract(bag(tmp_path / "day", gray), tmp_path / "set")
    path = drive_of(tmp_path / "set").picture(2, "right")
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, picture(2, "right")[..., 1])


def test_crop_and_size_move_the_principal_point(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots(), suffix=".png")
    window = ("crop=80x60+10+2", "size=40x30", "measure=false")
    extract(source, tmp_path / "set", *(word for item in window for word in ("--set", item)))
    drive = drive_of(tmp_path / "set")
    assert (drive.rig.width, drive.rig.height) == (40, 30)
    assert drive.rig.cx == pytest.approx(((WIDTH - 1) / 2 - 10 + 0.5) / 2 - 0.5)
    assert drive.rig.cy == pytest.approx(((HEIGHT - 1) / 2 - 2 + 0.5) / 2 - 0.5)
    assert drive.rig.fx == pytest.approx(FX / 2)
    expected = picture(4, "left")[2:62, 10:90].reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(drive.frame(4).left, expected, atol=0.51)


def test_raw_pictures_are_rectified_and_the_calibration_says_how(
    tmp_path: Path, extract: Extract
) -> None:
    bent = (-0.2, 0.05, 0.0, 0.0, 0.0)
    source = bag(tmp_path / "day", shots(), leaf="image_raw", D=bent)
    extract(source, tmp_path / "set")
    said = json.loads((tmp_path / "set/drives/day/calibration.json").read_text())
    assert said["rectification"]["is_identity"] is False
    assert said["left"]["D"] == list(bent)
    frame = drive_of(tmp_path / "set").frame(0)
    straight = picture(0, "left")
    assert np.mean(np.abs(frame.left.astype(int) - straight)) > 2
    middle = np.s_[HEIGHT // 2 - 3 : HEIGHT // 2 + 3, WIDTH // 2 - 3 : WIDTH // 2 + 3]
    np.testing.assert_allclose(frame.left[middle].astype(int), straight[middle], atol=12)


def test_topics_called_rectified_are_left_alone_whatever_their_camera_info_undoes(
    tmp_path: Path, extract: Extract
) -> None:
    source = bag(tmp_path / "day", shots(), D=(-0.2, 0.05, 0.0, 0.0, 0.0))
    extract(source, tmp_path / "set")
    np.testing.assert_array_equal(drive_of(tmp_path / "set").frame(0).left, picture(0, "left"))


def test_topics_can_be_named(tmp_path: Path, extract: Extract) -> None:
    source = write_ros2(
        tmp_path / "day",
        [
            (topic.replace("left", "port").replace("right", "starboard"), *rest)
            for topic, *rest in messages(ROS2, shots())
        ],
    )
    code, summary = extract(source, tmp_path / "set")
    assert code == 1
    assert "no topic for left_image" in summary["failures"][0]
    given = ",".join(
        f"{side}_{kind}=/rig/{name}/{leaf}"
        for side, name in (("left", "port"), ("right", "starboard"))
        for kind, leaf in (("image", "image_rect"), ("info", "camera_info"))
    )
    assert extract(source, tmp_path / "set", "--topics", given)[0] == 0


def test_only_keyframes_and_their_next_frames_are_kept_on_request(
    tmp_path: Path, extract: Extract
) -> None:
    source = bag(tmp_path / "day", shots(20))
    extract(
        *(source, tmp_path / "set", "--set", "keep=keyframes"),
        *("--set", "keyframe_interval_s=0.5", "--set", "least_sharpness=0"),
    )
    drive = drive_of(tmp_path / "set")
    decisions = rows(drive.path / "pairs.jsonl")
    kept = [pair for pair in decisions if pair["kept"]]
    assert len(decisions) == 19
    assert 3 <= len(kept) <= 5
    expected = sorted({pair[name] for pair in kept for name in ("first_ns", "second_ns")})
    assert list(drive.stamps_ns) == expected
    assert len(list((drive.path / "left").iterdir())) == len(expected)
    for first, second in drive.kept_pairs():
        assert drive.clips[first] == drive.clips[second]
    assert drive.clips[-1] == len(kept) - 1
    assert any(reason.startswith("thinned") for pair in decisions for reason in pair["reasons"])


def test_gaps_begin_clips_and_break_pairs(tmp_path: Path, extract: Extract) -> None:
    taken = [shot for number, shot in enumerate(shots(10)) if number // 2 not in (4, 5)]
    code, _ = extract(bag(tmp_path / "day", taken), tmp_path / "set")
    assert code == 0
    drive = drive_of(tmp_path / "set")
    assert drive.clips == (0, 0, 0, 0, 1, 1, 1, 1)
    (broken,) = [pair for pair in rows(drive.path / "pairs.jsonl") if not pair["kept"]]
    assert broken["reasons"][0].startswith("gap")
    assert broken["dt_ns"] == 3 * PERIOD_NS
    provenance = json.loads((drive.path / "provenance.json").read_text())
    assert provenance["gaps"] == [{"after_ns": STAMPS[3], "seconds": 0.3}]
