"""What extraction does with bags that are not all right: keeps the rest, counts and explains."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cups_training.dataset.dataset import Dataset
from cups_training.extraction import drive_extraction

from .conftest import (
    PERIOD_NS,
    ROS2,
    START_NS,
    Extract,
    Shot,
    bag,
    messages,
    picture,
    shifted,
    shots,
    write_ros2,
)

COUNT = 12
Edit = Callable[[list[Shot]], Sequence[Shot]]


def index(number: int, side: str) -> int:
    return 2 * number + (side == "right")


def without(*places: int) -> Edit:
    return lambda taken: [shot for place, shot in enumerate(taken) if place not in places]


def with_shot(place: int, change: Callable[[Shot], Shot]) -> Edit:
    return lambda taken: [*taken[:place], change(taken[place]), *taken[place + 1 :]]


def twice(place: int) -> Edit:
    return lambda taken: [*taken[: place + 1], taken[place], *taken[place + 1 :]]


def late(place: int, by: int) -> Edit:
    def edit(taken: list[Shot]) -> list[Shot]:
        shot = taken[place]
        return [*taken[:place], *taken[place + 1 : place + by], shot, *taken[place + by :]]

    return edit


def in_order_of_the_list(taken: Sequence[Shot]) -> list[Shot]:
    """Recorded one after the other, whatever their stamps."""
    return [
        replace(shot, recorded_ns=START_NS + place * PERIOD_NS // 2)
        for place, shot in enumerate(taken)
    ]


@pytest.mark.parametrize(
    ("edit", "frames", "dropped"),
    [
        # An image whose partner was never recorded.
        (without(index(3, "right")), COUNT - 1, {"left: no partner within the tolerance": 1}),
        # The same message twice.
        (twice(index(4, "left")), COUNT, {"left: same stamp as the one before it": 1}),
        # One that comes after its successor.
        (
            late(index(4, "left"), 4),
            COUNT - 1,
            {"left: older than the one before it": 1, "right: no partner within the tolerance": 1},
        ),
        # A stamp that is further from its partner than the tolerance.
        (
            with_shot(index(5, "right"), lambda shot: shifted(shot, 30_000_000)),
            COUNT - 1,
            {
                "left: no partner within the tolerance": 1,
                "right: no partner within the tolerance": 1,
            },
        ),
        # A camera that was set to another resolution for a moment.
        (
            with_shot(index(6, "left"), lambda shot: replace(shot, picture=shot.picture[::2])),
            COUNT - 1,
            {"left: another size than the calibration": 1},
        ),
        # An encoding that nobody knows.
        (
            with_shot(index(7, "right"), lambda shot: replace(shot, encoding="yuv9000")),
            COUNT - 1,
            {"right: cannot be decoded": 1},
        ),
        # A driver that leaves the header empty.
        (
            with_shot(index(8, "left"), lambda shot: replace(shot, stamp_ns=0)),
            COUNT - 1,
            {"left: no stamp in the header": 1, "right: no partner within the tolerance": 1},
        ),
        # A camera that stops early.
        (
            without(*(index(number, "right") for number in range(4, COUNT))),
            4,
            {"left: no partner within the tolerance": COUNT - 4},
        ),
    ],
)
def test_losses_are_counted_by_reason_and_the_rest_is_extracted(
    tmp_path: Path, extract: Extract, edit: Edit, frames: int, dropped: dict[str, int]
) -> None:
    source = bag(tmp_path / "day", in_order_of_the_list(edit(shots(COUNT))))
    code, summary = extract(source, tmp_path / "set")
    (found,) = summary["recordings"]
    assert (code, found["frames"], found["dropped"]) == (3, frames, dropped)
    (drive,) = Dataset(tmp_path / "set").drives
    for frame in drive.frames():
        number = (frame.stamp_ns - START_NS) // PERIOD_NS
        np.testing.assert_array_equal(frame.left, picture(number, "left"))


def test_losses_stand_in_the_card_with_their_first_case(tmp_path: Path, extract: Extract) -> None:
    edit = with_shot(index(7, "right"), lambda shot: replace(shot, encoding="yuv9000"))
    extract(bag(tmp_path / "day", edit(shots(COUNT))), tmp_path / "set")
    card = (tmp_path / "set/README.md").read_text()
    assert "right: cannot be decoded" in card
    assert "unknown encoding 'yuv9000'" in card


def test_a_camera_that_stops_early_is_named(tmp_path: Path, extract: Extract) -> None:
    edit = without(*(index(number, "right") for number in range(8, 24)))
    code, summary = extract(bag(tmp_path / "day", edit(shots(24))), tmp_path / "set")
    assert code == 3
    assert summary["recordings"][0]["notes"] == [
        "/rig/right/image_rect stops 1.6 s before the other camera"
    ]


def test_a_clock_that_jumps_back_begins_another_drive(tmp_path: Path, extract: Extract) -> None:
    taken = in_order_of_the_list([*shots(6), *shots(5, start_ns=START_NS - 10 * PERIOD_NS)])
    code, summary = extract(bag(tmp_path / "day", taken), tmp_path / "set")
    assert code == 0
    assert summary["recordings"][0]["drives"] == ["day", "day_2"]
    first, second = Dataset(tmp_path / "set").drives
    assert first.stamps_ns[0] == START_NS
    assert second.stamps_ns[0] == START_NS - 10 * PERIOD_NS
    assert (len(first), len(second)) == (6, 5)
    # The parts of one recording never part.
    assert (tmp_path / "set/splits/val.txt").read_text() == ""
    assert (tmp_path / "set/splits/train.txt").read_text() == "day\nday_2\n"


def test_a_bag_that_ends_in_the_middle_gives_what_it_holds(
    tmp_path: Path, extract: Extract
) -> None:
    source = bag(tmp_path / "day", shots(40)) / "day.mcap"
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 2 // 3])
    code, summary = extract(source, tmp_path / "set")
    assert code == 3
    (found,) = summary["recordings"]
    assert 10 < found["frames"] < 40
    assert "day.mcap" in found["notes"][0]


def test_a_bag_with_nothing_to_read_leaves_nothing_behind(tmp_path: Path, extract: Extract) -> None:
    taken = [replace(shot, encoding="yuv9000") for shot in shots(COUNT)]
    code, summary = extract(bag(tmp_path / "day", taken), tmp_path / "set")
    assert code == 1
    assert summary["recordings"][0]["dropped"] == {"left: cannot be decoded": COUNT}
    assert not list((tmp_path / "set").rglob("*.*"))


def test_one_refused_bag_does_not_stop_the_others(tmp_path: Path, extract: Extract) -> None:
    (tmp_path / "broken.mcap").write_bytes(b"no bag")
    code, summary = extract(
        tmp_path / "broken.mcap", bag(tmp_path / "day", shots(COUNT)), tmp_path / "set"
    )
    assert code == 1
    assert "broken.mcap" in summary["failures"][0]
    assert [drive.name for drive in Dataset(tmp_path / "set").drives] == ["day"]


def test_a_drive_without_calibration_is_refused(tmp_path: Path, extract: Extract) -> None:
    items = [item for item in messages(ROS2, shots(3)) if "camera_info" not in item[0]]
    code, summary = extract(write_ros2(tmp_path / "day", items), tmp_path / "set")
    assert code == 1
    assert "no topic for left_info, right_info" in summary["failures"][0]


def large(count: int) -> list[Shot]:
    return shots(count, width=320, height=240)


def swapped(taken: Sequence[Shot]) -> list[Shot]:
    pictures = {(shot.stamp_ns, shot.side): shot.picture for shot in taken}
    other = {"left": "right", "right": "left"}
    return [replace(shot, picture=pictures[shot.stamp_ns, other[shot.side]]) for shot in taken]


def test_swapped_cameras_are_refused_or_told(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", swapped(large(3)))
    code, summary = extract(source, tmp_path / "set")
    assert code == 1
    assert "left and right are swapped" in summary["failures"][0]
    assert "validate=warn" in summary["failures"][0]
    assert not (tmp_path / "set").exists()
    code, summary = extract(source, tmp_path / "set", "--set", "validate=warn")
    assert code == 3
    assert "left and right are swapped" in summary["recordings"][0]["notes"][0]


def test_cameras_in_their_places_pass(tmp_path: Path, extract: Extract) -> None:
    assert extract(bag(tmp_path / "day", large(3)), tmp_path / "set")[0] == 0
    verdict: Any = (tmp_path / "set/drives/day/provenance.json").read_text()
    assert "rectified and in order" in verdict


def test_a_calibration_that_changes_during_the_drive_is_told(
    tmp_path: Path, extract: Extract
) -> None:
    items = messages(ROS2, shots(6))
    changed = messages(ROS2, shots(6), D=(0.1, 0, 0, 0, 0))
    code, summary = extract(
        write_ros2(tmp_path / "day", [*items[:20], *changed[20:]]), tmp_path / "set"
    )
    assert code == 3
    assert "camera_info differs from the first one" in summary["recordings"][0]["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "size=big"), "size: expected a form like 640x480"),
        (("--set", "crop=10x10"), "crop: expected a form like 640x480\\+10\\+20"),
        (("--set", "keep=keyframes", "--set", "measure=false"), "needs measure=true"),
        (("--set", "kep=all"), "did you mean 'keep'"),
        (("--tolerance-ms", "soon"), "tolerance_ms: expected float"),
        (("--topics", "left=/a"), "--topics: expected ROLE=TOPIC"),
        (("--drive", "a/b"), "--drive: expected a name"),
    ],
)
def test_arguments_that_make_no_sense_are_named(
    tmp_path: Path, extract: Extract, arguments: tuple[str, ...], message: str
) -> None:
    source = bag(tmp_path / "day", shots(2))
    code, summary = extract(source, tmp_path / "set", *arguments)
    assert code == 1
    assert re.search(message, summary["error"])


def test_the_dataset_comes_last(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots(2))
    code, summary = extract(tmp_path / "set", source)
    assert code == 1
    assert "the dataset's folder comes last" in summary["error"]


def test_a_very_long_drive_goes_on_in_another_one(
    tmp_path: Path, extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive_extraction, "LONGEST_PART", 5)
    code, summary = extract(bag(tmp_path / "day", shots(12)), tmp_path / "set")
    assert code == 0
    assert summary["recordings"][0]["drives"] == ["day", "day_2", "day_3"]
    assert summary["recordings"][0]["frames"] == 12
    assert [len(drive) for drive in Dataset(tmp_path / "set").drives] == [5, 5, 2]
