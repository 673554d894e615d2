"""Pairs wait for their labels, bursts are written whole, and nothing waits for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from cups_core.frame_quality import FrameQuality
from cups_core.harvesting.observation import SeenObject
from cups_core.harvesting.policy import HarvestPolicy, HarvestSettings
from cups_core.thumbnail import CELLS
from cups_ros.harvest_bag import BagSettings, HarvestBag
from cups_ros.harvest_file import RecordedTopic
from cups_ros.harvest_recorder import HarvestRecorder, LabelItem, PairItem, Serialized

MS = 1_000_000
PERIOD_NS = 100 * MS
LEFT, RIGHT, INFO, LABEL, REASONS = (
    RecordedTopic(f"/{name}", "std_msgs/msg/String", "string data\n")
    for name in ("left", "right", "info", "label", "bursts")
)
CALIBRATION = b"the same object with every pair"
CAR = SeenObject(7, 1.0, 0.02, 8.0, is_cut=False)


class Recording:
    """A recorder, what it told, and the frames of a drive at 10 Hz."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.bag = HarvestBag(BagSettings(folder=str(folder), free_reserve_gb=0.0), {})
        self.told: list[str] = []
        self.recorder = HarvestRecorder(
            HarvestPolicy(HarvestSettings(**{"budget_gb_per_hour": 1000.0, **settings})),
            self.bag,
            REASONS,
            label_wait_s=0.5,
            on_burst=self.told.append,
            on_problem=pytest.fail,
        )

    def pair(self, index: int, place: int | None = None) -> None:
        rng = np.random.default_rng(index if place is None else place)
        cells = rng.integers(20, 230, CELLS).astype(np.uint8).tobytes()
        messages = (
            Serialized(INFO, index, CALIBRATION),
            Serialized(LEFT, index, f"left {index}".encode()),
            Serialized(RIGHT, index, f"right {index}".encode()),
        )
        quality = FrameQuality(0.6, 0.5, 0.0, 0.0, cells)
        self.recorder.add_pair(PairItem(index * PERIOD_NS, messages, quality))

    def label(self, index: int, *objects: SeenObject) -> None:
        message = Serialized(LABEL, index, f"label {index}".encode())
        self.recorder.add_label(LabelItem(index * PERIOD_NS, message, objects))

    def finish(self) -> dict[str, list[str]]:
        """The recorded texts by topic; those of the reasons are read from JSON elsewhere."""
        self.recorder.finish()
        found: dict[str, list[str]] = {}
        for path in sorted(self.bag.path.glob("*.mcap")):
            with path.open("rb") as stream:
                for _, channel, message in make_reader(stream).iter_messages():
                    text = "" if channel.topic == REASONS.name else message.data.decode()
                    found.setdefault(channel.topic, []).append(text)
        return found


@pytest.fixture
def make_recording(tmp_path: Path) -> Callable[..., Recording]:
    return lambda **settings: Recording(tmp_path, **settings)


def test_without_labels_nobody_waits(make_recording: Callable[..., Recording]) -> None:
    recording = make_recording()
    for index in range(4):
        recording.pair(index)
    assert recording.told
    assert not recording.recorder.hears_labels
    found = recording.finish()
    assert found["/left"] == [f"left {index}" for index in range(4)]
    assert found["/right"] == [f"right {index}" for index in range(4)]


def test_a_calibration_that_stays_is_written_once(
    make_recording: Callable[..., Recording],
) -> None:
    recording = make_recording()
    for index in range(4):
        recording.pair(index)
    assert recording.finish()["/info"] == [CALIBRATION.decode()]


def test_a_late_label_counts_when_it_comes_within_the_wait(
    make_recording: Callable[..., Recording],
) -> None:
    recording = make_recording(novelty_weight=0.0)
    recording.pair(0)
    recording.label(0)
    for index in range(1, 5):
        recording.pair(index)
    assert not recording.told
    for index in range(1, 5):
        recording.label(index, *([CAR] if index == 2 else []))
    (burst,) = map(json.loads, recording.told)
    assert burst["keyframe_ns"] == 2 * PERIOD_NS
    assert burst["reasons"] == ["motion"]
    found = recording.finish()
    assert found["/label"] == [f"label {index}" for index in range(1, 5)]
    # Nobody could know that the first pair would get one.
    assert (recording.recorder.labelled, recording.recorder.late_labels) == (4, 1)


def test_a_label_that_does_not_come_is_not_waited_for_longer(
    make_recording: Callable[..., Recording],
) -> None:
    recording = make_recording(novelty_weight=0.0)
    recording.pair(0)
    recording.label(0)
    for index in range(1, 9):
        recording.pair(index)
    assert sum(recording.recorder.drops.values()) > 0
    recording.label(1, CAR)
    assert recording.recorder.late_labels == 2
    # Only the label of a later pair tells that the earlier ones get none.
    recording.label(8, CAR)
    recording.pair(9)
    recording.label(9)
    recording.pair(10)
    recording.label(10)
    (burst,) = map(json.loads, recording.told)
    assert burst["labels"] == 3


def test_a_clock_that_jumps_back_flushes_what_waits(
    make_recording: Callable[..., Recording],
) -> None:
    recording = make_recording()
    for index in (50, 51, 52, 53, 1, 2, 3, 4):
        recording.pair(index, place=index)
        recording.label(index)
    found = recording.finish()
    assert sorted(found["/left"]) == sorted(f"left {i}" for i in (50, 51, 52, 53, 1, 2, 3, 4))
    assert recording.recorder.seen == recording.recorder.kept == 8


def test_every_pair_is_kept_or_counted(make_recording: Callable[..., Recording]) -> None:
    recording = make_recording()
    for index in range(60):
        recording.pair(index, place=index // 20)
    recording.finish()
    recorder = recording.recorder
    assert recorder.seen == 60
    assert recorder.kept + sum(recorder.drops.values()) == 60
    assert 3 <= recorder.bursts <= 6
