"""The harvest node over DDS: a drive that stands, watches traffic and stands again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from cups_core.frames import StereoFrame
from cups_core.settings import make_settings
from cups_ros.stamps import nanoseconds
from cups_training.cli import main
from cups_training.synthetic.bag import write_bag
from cups_training.synthetic.drive import FIRST_STAMP_NS, SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

MS = 1_000_000
PERIOD_NS = 100 * MS
STANDING, MOVING = 35, 24
STREET = {"width": 384, "height": 192, "frames": MOVING, "ego_motion": "stopped", "traffic": 2.0}
BUDGET_GB_PER_HOUR = 5.0
LEFT, RIGHT = "/left/image_rect", "/right/image_rect"
INFOS = ("/left/camera_info", "/right/camera_info")
LABELS, BURSTS = "/pseudo_label_node/pseudo_label", "/harvest_node/bursts"


class StopAndGo:
    """A standing camera: nothing moves but the noise, then traffic, then nothing again."""

    def __init__(self) -> None:
        self._street = SyntheticDrive(make_settings(DriveSettings, STREET), seed=7)

    def __len__(self) -> int:
        return STANDING + MOVING + STANDING

    def frame(self, index: int) -> StereoFrame:
        """The street, which stands still before its first and after its last frame."""
        place = min(max(0, index - STANDING), MOVING - 1)
        frame = self._street.frame(place)
        rng = np.random.default_rng(index)
        left, right = (
            np.clip(picture + rng.normal(0, 1.0, picture.shape), 0, 255).astype(np.uint8)
            for picture in (frame.left, frame.right)
        )
        return StereoFrame(left, right, FIRST_STAMP_NS + index * PERIOD_NS, frame.rig)


def recorded(path: Path) -> dict[str, dict[int, bytes]]:
    """The serialised messages of a bag by topic and stamp; those without a header by number."""
    found: dict[str, dict[int, bytes]] = {}
    files = sorted(path.glob("*.mcap"))
    with AnyReader(files) as reader:
        for connection, _, data in reader.messages():
            of_topic = found.setdefault(connection.topic, {})
            message = reader.deserialize(data, connection.msgtype)
            header = getattr(message, "header", None)
            stamp = len(of_topic) if header is None else nanoseconds(header.stamp)
            of_topic[stamp] = bytes(data)
    return found


class Harvest:
    """What came of one drive."""

    def __init__(self, drive: Path, folder: Path, values: dict[str, str], output: str) -> None:
        self.source = recorded(drive)
        (self.bag,) = folder.iterdir()
        self.files = sorted(self.bag.glob("*.mcap"))
        self.kept = recorded(self.bag)
        self.values, self.output = values, output

    def stands(self, stamp_ns: int) -> bool:
        """Whether nothing moves at that stamp."""
        return not 0 < (stamp_ns - FIRST_STAMP_NS) // PERIOD_NS - STANDING < MOVING


@pytest.fixture(scope="module")
def harvest(
    module_tester: Any, start_module_process: Any, tmp_path_factory: pytest.TempPathFactory
) -> Harvest:
    drive, folder = (tmp_path_factory.mktemp("harvest") / name for name in ("drive", "kept"))
    write_bag(StopAndGo(), drive, with_truth=False)  # type: ignore[arg-type]
    tester, diagnostics = module_tester, module_tester.collect(DiagnosticArray, "/diagnostics")

    def values() -> dict[str, str]:
        for message in reversed(diagnostics):
            if message.status[0].name == "/harvest_node":
                return {item.key: item.value for item in message.status[0].values}
        return {}

    labels = start_module_process("cups_ros.pseudo_label_node")
    node = start_module_process(
        "cups_ros.harvest_node",
        *("--ros-args", "-p", f"bag.folder:={folder}", "-p", "bag.free_reserve_gb:=0.0"),
        *("-p", f"harvest.budget_gb_per_hour:={BUDGET_GB_PER_HOUR}"),
    )
    # The first start of the labels compiles their kernels.
    tester.wait_until(lambda: tester.node.count_subscribers(LEFT) == 2, "both nodes")
    tester.wait_until(lambda: tester.node.count_subscribers(LABELS) == 1, "the label topic")
    player = start_module_process(
        "cups_ros.drive_player", "--ros-args", "-p", f"path:={drive}", "-p", "rate:=0.4"
    )
    tester.wait_until(lambda: player.process.poll() is not None, "the end of the drive")
    seen = values().get("pairs seen", "0")
    tester.work(2.0)
    tester.wait_until(lambda: int(values().get("pairs seen", 0)) >= int(seen), "the last pairs")
    last = values()
    assert node.stop() == 0, node.output
    labels.stop()
    assert "Traceback" not in node.output
    return Harvest(drive, folder, last, node.output)


def test_what_moves_is_kept_and_standing_still_is_not(harvest: Harvest) -> None:
    kept = list(harvest.kept[LEFT])
    moving = [stamp for stamp in kept if not harvest.stands(stamp)]
    standing = [stamp for stamp in kept if harvest.stands(stamp)]
    assert len(moving) >= MOVING / 2, harvest.values
    assert len(standing) <= 0.15 * 2 * STANDING, harvest.values


def test_every_pair_is_complete_and_comes_with_a_neighbour(harvest: Harvest) -> None:
    left, right = harvest.kept[LEFT], harvest.kept[RIGHT]
    assert left.keys() == right.keys()
    assert all(stamp + PERIOD_NS in left or stamp - PERIOD_NS in left for stamp in left)


def test_messages_are_those_of_the_drive_bit_for_bit(harvest: Harvest) -> None:
    for topic in (LEFT, RIGHT, *INFOS):
        source = harvest.source[f"/stereo{topic}"]
        for stamp, data in harvest.kept[topic].items():
            # DDS fills the last word up.
            size = len(source[stamp])
            assert data[:size] == source[stamp]
            assert data[size:] in (b"", b"\0", b"\0\0", b"\0\0\0")


def test_the_pseudo_labels_of_kept_pairs_are_there(harvest: Harvest) -> None:
    kept, labels = harvest.kept[LEFT], harvest.kept[LABELS]
    assert labels.keys() <= kept.keys()
    assert len(labels) >= len(kept) / 2


def test_each_burst_says_why(harvest: Harvest) -> None:
    store = get_typestore(Stores.ROS2_KILTED)
    bursts = [
        json.loads(store.deserialize_cdr(data, "std_msgs/msg/String").data)  # type: ignore[attr-defined]
        for data in harvest.kept[BURSTS].values()
    ]
    told = [stamp for burst in bursts for stamp in burst["frames_ns"]]
    assert sorted(told) == sorted(harvest.kept[LEFT])
    assert bursts[0]["reasons"][0] == "novelty"
    assert any("motion" in burst["reasons"] for burst in bursts)
    assert all(burst["score"] >= burst["threshold"] for burst in bursts)


def test_the_budget_of_the_drive_is_kept(harvest: Harvest) -> None:
    seconds = (2 * STANDING + MOVING) * PERIOD_NS / 1e9
    written = sum(path.stat().st_size for path in harvest.files)
    assert 0 < written <= 1.1 * BUDGET_GB_PER_HOUR * 1e9 / 3600 * seconds


def test_extraction_makes_a_dataset_of_it_without_complaint(
    harvest: Harvest, tmp_path: Path, capsys: Any
) -> None:
    assert main(["extract", str(harvest.bag), str(tmp_path / "dataset")]) == 0, capsys.readouterr()
    (drive,) = (tmp_path / "dataset/drives").iterdir()
    frames = [json.loads(line) for line in (drive / "frames.jsonl").read_text().splitlines()]
    assert [frame["stamp_ns"] for frame in frames] == sorted(harvest.kept[LEFT])
    pairs = [json.loads(line) for line in (drive / "pairs.jsonl").read_text().splitlines()]
    assert sum(pair["kept"] for pair in pairs) >= len(frames) / 2


def test_diagnostics_count_what_became_of_every_pair(harvest: Harvest) -> None:
    values = harvest.values
    assert values["state"] == "recording"
    assert int(values["dropped: nothing moves and nothing is new"]) > STANDING / 2
    reasons = [name for name in values if name.startswith("dropped: ") and "/" not in name]
    told = int(values["pairs kept"]) + sum(int(values[name]) for name in reasons)
    # Those whose neighbours or labels were still awaited are missing.
    assert int(values["pairs seen"]) - 15 <= told <= int(values["pairs seen"])
    assert float(values["disk free [GB]"]) > 0
    assert float(values["memory [MiB]"]) > 0
    assert "pairs" in values["pseudo-labels"]


def test_files_are_finished_when_the_node_ends(harvest: Harvest) -> None:
    assert harvest.files
    assert not [path for path in harvest.files if "unfinished" in path.name]
