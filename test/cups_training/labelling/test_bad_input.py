"""What goes wrong is said and counted, and nothing that failed ever looks like a label."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from cups_training.labelling.pictures import exposure_fault
from cups_training.whole_files import (
    read_json,
    read_json_lines,
    read_picture,
    write_json,
    write_png,
)

from ...cups_core.motion.scenes import HEIGHT, INTERVAL_NS, WIDTH
from .conftest import Label, all_bytes

FIRST_NS = 1_000_000_000


def stamp(number: int) -> int:
    return FIRST_NS + number * INTERVAL_NS


def picture(root: Path, drive: str, number: int, side: str = "left") -> Path:
    return root / "drives" / drive / side / f"{stamp(number)}.png"


def quality(root: Path, drive: str) -> dict[int, dict[str, object]]:
    rows = read_json_lines(root / "labels/fast/quality.jsonl")
    return {row["stamp_ns"]: row for row in rows if row["drive"] == drive}


def files_of(root: Path, drive: str, number: int) -> list[Path]:
    return [
        path
        for path in (root / "labels").rglob(f"{stamp(number)}*.png")
        if path.parent.name == drive
    ]


def test_broken_dark_and_blinded_pictures_cost_their_own_frames_only(
    dataset: Path, label: Label
) -> None:
    whole = picture(dataset, "bend", 2).read_bytes()
    picture(dataset, "bend", 2).write_bytes(whole[: len(whole) // 2])
    picture(dataset, "bend", 3, "right").write_bytes(b"")
    picture(dataset, "bend", 4).unlink()
    write_png(picture(dataset, "bend", 5), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_png(picture(dataset, "bend", 6, "right"), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    write_png(picture(dataset, "bend", 7), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    write_png(picture(dataset, "bend", 8), np.zeros((HEIGHT, WIDTH - 2, 3), np.uint8))
    code, said = label(dataset, "--set", "maximum_failed=0.6", "--set", "maximum_empty=1")
    assert code == 0
    reasons = {
        2: "unreadable: left/",
        3: "unreadable: right/",
        4: "unreadable: left/",
        5: "black left image",
        6: "saturated right image",
        7: "uniform left image",
        8: "size: left image",
    }
    found = quality(dataset, "bend")
    for number, reason in reasons.items():
        assert found[stamp(number)]["status"] == "failed"
        assert str(found[stamp(number)]["reason"]).startswith(reason)
        assert files_of(dataset, "bend", number) == []
    assert len(files_of(dataset, "bend", 1)) == 3
    assert said["failed"] == sum(row["status"] == "failed" for row in found.values()) + sum(
        row["status"] == "failed" for row in quality(dataset, "waiting").values()
    )
    listed = {
        item["file_name"] for item in read_json(dataset / "labels/fast/panoptic.json")["images"]
    }
    assert f"drives/bend/left/{stamp(5)}.png" not in listed


def test_a_drive_that_was_calibrated_for_other_pictures_closes_the_gate(
    dataset: Path, label: Label
) -> None:
    path = dataset / "drives/bend/calibration.json"
    write_json(path, read_json(path) | {"width": WIDTH * 2})
    code, said = label(dataset)
    assert code == 1
    assert said["causes"]["size"] == 10
    (fault,) = [fault for fault in said["faults"] if "failed" in fault]
    assert "main cause, 10 frames: size. The calibration belongs to other pictures" in fault
    assert not list((dataset / "labels/fast/pairs").glob("bend/*.png"))


def test_pictures_without_texture_have_no_depth_and_no_label(dataset: Path, label: Label) -> None:
    # Vertical waves of brightness: something to see, nothing to match along the rows.
    rows = np.broadcast_to(np.arange(HEIGHT)[:, None, None], (HEIGHT, WIDTH, 3))
    flat = np.ascontiguousarray(128 + 60 * np.sin(rows / 9)).astype(np.uint8)
    for number in range(10):
        for side in ("left", "right"):
            write_png(picture(dataset, "bend", number, side), flat)
    code, _ = label(dataset)
    assert code == 1
    found = quality(dataset, "bend")
    assert {row["status"] for row in found.values()} == {"failed"}
    assert all(
        str(row["reason"]).startswith(("motion:", "no valid depth")) for row in found.values()
    )


def test_the_gate_closes_on_too_many_empty_frames_and_says_why(dataset: Path, label: Label) -> None:
    # Nothing moves in a drive whose pictures are all the same.
    for number in range(1, 10):
        for side in ("left", "right"):
            shutil.copy(
                picture(dataset, "waiting", 0, side), picture(dataset, "waiting", number, side)
            )
    shutil.rmtree(dataset / "drives/bend")
    code, said = label(dataset, "--set", "maximum_failed=1")
    assert code == 1
    assert said["passed"] is False
    assert "main cause" in said["faults"][0]
    assert "nothing moves. Drive where others move" in said["faults"][0]
    assert label(dataset, "--set", "maximum_failed=1", "--set", "maximum_empty=1")[0] == 0


def test_a_folder_takes_labels_of_one_configuration_only(labelled: Path, label: Label) -> None:
    code, said = label(labelled, "--set", "minimum_speed_mps=0.9", "--set", "vote=frame")
    assert code == 1
    assert "settings.objects.minimum_speed_mps = 0.6 there, 0.9 now" in said["error"]
    assert "settings.labels.vote = track there, frame now" in said["error"]
    assert "give another --name" in said["error"]


def test_the_split_may_be_made_anew_without_labelling_again(dataset: Path, label: Label) -> None:
    assert label(dataset)[0] == 0
    before = (dataset / "labels/fast/clips/bend/000000.json").stat().st_mtime_ns
    assert label(dataset, "--set", "thing_test=normalised")[0] == 0
    found = read_json(dataset / "labels/fast/thing_stuff.json")
    assert found["settings"]["thing_test"] == "normalised"
    assert (dataset / "labels/fast/clips/bend/000000.json").stat().st_mtime_ns == before


def test_a_drive_that_changed_after_labelling_is_refused(dataset: Path, label: Label) -> None:
    assert label(dataset)[0] == 0
    frames = dataset / "drives/bend/frames.jsonl"
    frames.write_text("".join(line + "\n" for line in frames.read_text().splitlines()[:9]))
    code, said = label(dataset)
    assert code == 1
    assert "drive bend has changed since it was labelled" in said["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "clases=5"), "did you mean 'classes'"),
        (("--set", "classes=many"), "classes: expected int, found 'many'"),
        (("--set", "classes=300"), "classes: expected at most 255"),
        (("--set", "crf=perhaps"), "crf: expected true or false"),
        (("--set", "crf"), "expected NAME=VALUE"),
        (("--shard", "5/4"), "shard: expected i/n"),
        (("--shard", "0/4"), "shard: expected i/n"),
        (("--shard", "half"), "shard: expected i/n"),
        (("--raft", "nowhere.pt"), "nowhere.pt: cannot be read"),
    ],
)
def test_arguments_that_make_no_sense_are_named(
    dataset: Path, label: Label, arguments: tuple[str, ...], message: str
) -> None:
    code, said = label(dataset, *arguments)
    assert code == 1
    assert message in said["error"]


def test_a_folder_without_drives_is_named(tmp_path: Path, label: Label) -> None:
    code, said = label(tmp_path)
    assert code == 1
    assert "expected a dataset with drives/" in said["error"]


def test_a_place_that_cannot_be_written_is_named(dataset: Path, label: Label) -> None:
    (dataset / "labels").write_text("a file where a folder should be")
    code, said = label(dataset)
    assert code == 1
    assert "cannot be written" in said["error"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_place_that_a_worker_cannot_write_is_named_and_the_run_can_go_on(
    dataset: Path, label: Label, workers: str
) -> None:
    in_the_way = dataset / "labels/fast/pairs"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder should be")
    code, said = label(dataset, "--workers", workers)
    assert code == 1
    assert "pairs/" in said["error"]
    assert "cannot be written" in said["error"]
    in_the_way.unlink()
    assert label(dataset)[0] == 0


def test_a_full_disk_is_said_and_the_run_can_go_on(
    dataset: Path, labelled: Path, label: Label
) -> None:
    # No file may grow beyond this size: the maps of a frame do not fit.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        code, said = label(dataset)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "cannot be written (File too large); free some space" in said["error"]
    assert not list((dataset / "labels").rglob(".*"))
    assert label(dataset)[0] == 0
    assert all_bytes(dataset) == all_bytes(labelled)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "black"), (8, "black"), (250, "saturated"), (100, "uniform")]
)
def test_pictures_that_show_nothing_are_told_apart(value: int, expected: str) -> None:
    assert exposure_fault(np.full((20, 30, 3), value, np.uint8)) == expected


def test_night_and_snow_are_no_faults() -> None:
    random = np.random.default_rng(0)
    night = random.integers(0, 40, (40, 60, 3)).astype(np.uint8)
    snow = random.integers(200, 256, (40, 60, 3)).astype(np.uint8)
    assert exposure_fault(night) == ""
    assert exposure_fault(snow) == ""


def test_no_label_is_zero_filled(labelled: Path) -> None:
    found = [row for drive in ("bend", "waiting") for row in quality(labelled, drive).values()]
    assert {row["status"] for row in found} >= {"labelled"}
    for row in found:
        path = labelled / f"labels/fast/panoptic/{row['drive']}/{row['stamp_ns']}.png"
        assert path.exists() == (row["status"] != "failed")
        if path.exists():
            assert read_picture(path).any()
