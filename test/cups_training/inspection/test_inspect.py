"""`cups inspect` on real bags: what it finds, what it says is wrong, and the command it gives."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cups_training.cli import main, parser

STORE = get_typestore(Stores.ROS2_KILTED)
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
WIDTH, HEIGHT = 160, 120
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
LAG_NS = 20_000_000
TOPICS = ("/rig/left/image_rect", "/rig/right/image_rect", "/rig/left/camera_info",
          "/rig/right/camera_info")  # fmt: skip


@dataclass
class Item:
    """One message of a bag to be written."""

    topic: str
    stamp_ns: int
    recorded_ns: int
    width: int = WIDTH
    encoding: str = "mono8"


def drive(frames: int = 40, topics: Iterable[str] = TOPICS) -> list[Item]:
    return [
        Item(topic, stamp_ns, stamp_ns + LAG_NS)
        for stamp_ns in range(START_NS, START_NS + frames * PERIOD_NS, PERIOD_NS)
        for topic in topics
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_bag(
        items: list[Item], name: str = "drive", plugin: StoragePlugin = StoragePlugin.MCAP
    ) -> Path:
        with Writer(tmp_path / name, version=9, storage_plugin=plugin) as writer:
            connections = {
                topic: writer.add_connection(topic, kind(topic), typestore=STORE)
                for topic in dict.fromkeys(item.topic for item in items)
            }
            for item in items:
                data = STORE.serialize_cdr(message(item), kind(item.topic))
                writer.write(connections[item.topic], item.recorded_ns, data)
        return tmp_path / name

    return write_bag


def kind(topic: str) -> str:
    return INFO if topic.endswith("info") else IMAGE


def message(item: Item) -> Any:
    """An image of a textured wall 8 pixels of disparity away, or its camera_info."""
    types = STORE.types
    time = types["builtin_interfaces/msg/Time"](*divmod(item.stamp_ns, 1_000_000_000))
    header = types["std_msgs/msg/Header"](time, "camera")
    is_right = "right" in item.topic
    if kind(item.topic) == IMAGE:
        rng = np.random.default_rng(0)
        wall = np.kron(rng.integers(0, 255, (40, 80)), np.ones((3, 3))).astype(np.uint8)
        first = 8 if is_right else 0
        picture = np.ascontiguousarray(wall[:HEIGHT, first : first + item.width])
        return types[IMAGE](
            header, HEIGHT, item.width, item.encoding, 0, item.width, picture.ravel()
        )
    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    K = np.array([140.0, 0, 80, 0, 140, 60, 0, 0, 1])
    P = np.array([140.0, 0, 80, -70.0 if is_right else 0, 0, 140, 60, 0, 0, 0, 1, 0])
    return types[INFO](
        *(header, HEIGHT, WIDTH, "plumb_bob", np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi)
    )


Inspect = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Inspect:
    """The exit code and the facts of the only drive."""

    def run(*words: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["inspect", "--json", *map(str, words)])
        (facts,) = json.loads(capsys.readouterr().out)["drives"]
        return code, facts

    return run


def sentences(facts: dict[str, Any], weight: str) -> list[str]:
    return [item["sentence"] for item in facts["problems"] if item["weight"] == weight]


def test_a_good_drive_has_nothing_wrong_and_a_command(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    bag = write(drive())
    code, facts = inspect(bag)
    assert code == 0
    assert sentences(facts, "costs") == sentences(facts, "stops") == []
    assert [topic["name"] for topic in facts["topics"]] == sorted(TOPICS)
    left = next(topic for topic in facts["topics"] if topic["name"] == TOPICS[0])
    assert (left["count"], left["rate_hz"], left["stamps"]["lag_ns"]) == (40, 10.0, LAG_NS)
    assert left["images"] == [{"width": 160, "height": 120, "encoding": "mono8", "count": 40}]
    (rig,) = facts["rigs"]
    assert rig["is_rectified"]
    assert rig["calibration"]["baseline_m"] == pytest.approx(0.5)
    assert (rig["pairs"]["pairs"], rig["pairs"]["exact_share"]) == (40, 1.0)
    assert "rectified and in order" in rig["verdict"]
    # The command is one that `cups extract` understands.
    words = facts["command"]
    assert words[:3] == ["cups", "extract", str(bag)]
    chosen = parser("extract").parse_args(words[1:])
    assert chosen.bags == [bag]
    assert chosen.tolerance_ms == "0"
    assert chosen.topics.split(",")[0] == f"left_image={TOPICS[0]}"


def test_it_is_shown_to_people_too(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    bag = write(drive())
    assert main(["inspect", str(bag)]) == 0
    shown = capsys.readouterr().out
    for text in (
        *TOPICS,
        "160x120 mono8",
        "baseline 50.0 cm, no distortion; pictures are rectified",
        "40 of 40 left and 40 right (100.0%); 100.0% with equal stamps",
        "✓ nothing is wrong",
    ):
        assert text in shown
    words = shlex.split(shown[shown.index("cups extract") :].replace("\\\n", " "))
    assert parser("extract").parse_args(words[1:]).dataset == Path("dataset")


def test_verifying_reads_everything(write: Callable[..., Path], inspect: Inspect) -> None:
    bag = write(drive())
    assert sentences(inspect(bag)[1], "note") == [
        "checksums were not verified: --verify reads everything"
    ]
    code, facts = inspect(bag, "--verify")
    assert (code, facts["problems"], facts["checksums_verified"]) == (0, [], True)


def test_what_happened_to_the_stamps_is_told(write: Callable[..., Path], inspect: Inspect) -> None:
    items = [item for item in drive(100) if not 3.0 <= _age_s(item) < 5.0]
    late = next(item for item in items if item.topic == TOPICS[0] and _age_s(item) > 7)
    items.insert(items.index(late) + 1, Item(late.topic, late.stamp_ns, late.recorded_ns + 1))
    items = [item for item in items if item.topic != TOPICS[1] or _age_s(item) < 8.0]
    code, facts = inspect(write(items))
    assert code == 0
    told = "\n".join(sentences(facts, "costs"))
    assert (
        f"{TOPICS[0]}: 1 gap, the longest 2.10 s at 2.9 s; about 20 images missing: each gap "
        "ends a clip" in told
    )
    assert f"{TOPICS[0]}: 1 image with the stamp of the one before: left out" in told
    assert f"{TOPICS[1]}: it stops 2.0 s before the end of the recording" in told
    assert facts["rigs"][0]["pairs"]["pairs"] == 60


def _age_s(item: Item) -> float:
    return (item.stamp_ns - START_NS) / 1e9


def test_cameras_out_of_step_are_told_with_the_tolerance_that_pairs_them(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    items = drive()
    for item in items:
        if item.topic == TOPICS[1]:
            item.stamp_ns += 3_000_000
    _, facts = inspect(write(items))
    assert any("left and right are 3.0 ms apart" in told for told in sentences(facts, "costs"))
    assert facts["command"][-2:] == ["--tolerance-ms", "5"]
    for item in items:
        if item.topic == TOPICS[1]:
            item.stamp_ns += PERIOD_NS // 2 - 3_000_000
    code, facts = inspect(write(items, "in_turn"))
    assert code == 1
    assert "never nearer than half a period" in sentences(facts, "stops")[-1]
    assert facts["command"] is None


def test_a_clock_of_its_own_is_a_note_and_a_clock_that_was_set_back_costs(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    items = drive(60)
    for item in items:
        item.stamp_ns -= 37_000_000_000
    _, facts = inspect(write(items))
    assert any("its stamps lie 37.0 s before the time of recording" in told
               for told in sentences(facts, "note"))  # fmt: skip
    _, facts = inspect(write(drive(40) + drive(30), "set_back"))
    assert any("the clock was set back 1 time" in told for told in sentences(facts, "costs"))


def test_images_that_do_not_stay_the_same_are_told(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    items = drive()
    items[8].width = 80
    _, facts = inspect(write(items))
    assert sentences(facts, "costs") == [
        f"{TOPICS[0]}: the images do not stay the same: 39 of 160x120 mono8, 1 of 80x120 mono8"
    ]


def test_an_unknown_encoding_is_told_with_those_that_are_known(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    items = drive()
    for item in items:
        item.encoding = "purple8"
    code, facts = inspect(write(items))
    assert code == 1
    (told,) = sentences(facts, "stops")
    assert "unknown encoding 'purple8'; known are" in told


def test_a_rig_without_calibration_is_proposed_and_told(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    code, facts = inspect(write(drive(topics=TOPICS[:3])))
    assert code == 1
    assert facts["rigs"][0]["topics"]["right_info"] is None
    assert facts["rigs"][0]["pairs"]["pairs"] == 40
    (told,) = sentences(facts, "stops")
    assert "no camera_info of the right camera was recorded" in told


def test_topics_can_be_named_by_hand(write: Callable[..., Path], inspect: Inspect) -> None:
    names = dict(zip(TOPICS, ("/a/image", "/b/image", "/a/info", "/b/info"), strict=True))
    items = drive()
    for item in items:
        item.topic = names[item.topic]
    bag = write([Item(**vars(item)) for item in items])
    code, facts = inspect(bag)
    assert code == 1
    (told,) = sentences(facts, "stops")
    assert "image topics are /a/image, /b/image: name them with --topics" in told
    roles = ("left_image", "right_image", "left_info", "right_info")
    given = ",".join(f"{role}={name}" for role, name in zip(roles, names.values(), strict=True))
    code, facts = inspect(bag, "--topics", given)
    # Both show the same wall: the messages of this test go by the names.
    assert facts["rigs"][0]["topics"]["right_info"] == "/b/info"
    assert main(["inspect", str(bag), "--topics", "left_image=/typo"]) == 1


def test_the_rigs_that_are_not_taken_are_named(
    write: Callable[..., Path], inspect: Inspect
) -> None:
    items = drive() + [
        Item(item.topic.replace("/rig/", "/rear/"), item.stamp_ns, item.recorded_ns)
        for item in drive(20)
    ]
    _, facts = inspect(write(items))
    assert [rig["topics"]["left_image"] for rig in facts["rigs"]] == [
        *("/rig/left/image_rect", "/rear/left/image_rect")
    ]
    assert any("(/rear/left/image_rect): --topics chooses" in told
               for told in sentences(facts, "note"))  # fmt: skip


def test_damages_are_told_with_what_is_lost(write: Callable[..., Path], inspect: Inspect) -> None:
    bag = write(drive(), plugin=StoragePlugin.SQLITE3)
    file = bag / "drive.db3"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, facts = inspect(bag)
    assert code == 0
    (damage,) = facts["damages"]
    assert damage["file"] == str(file)
    assert damage["messages_lost"] == 160 - sum(topic["count"] for topic in facts["topics"])
    assert any("copy the file again" in told for told in sentences(facts, "costs"))


def test_bags_are_drives_of_their_own_or_parts_of_one(
    write: Callable[..., Path], inspect: Inspect, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = write(drive(), "a"), write(drive(90)[4 * 50 :], "b")
    assert main(["inspect", "--json", str(first), str(second)]) == 0
    drives = json.loads(capsys.readouterr().out)["drives"]
    assert [facts["bags"] for facts in drives] == [[str(first)], [str(second)]]
    _, facts = inspect(first, second, "--drive", "monday")
    assert facts["drive"] == "monday"
    assert facts["rigs"][0]["pairs"]["pairs"] == 80
    assert facts["command"][2:7] == [str(first), str(second), "dataset", "--drive", "monday"]


def test_what_cannot_be_read_is_one_sentence_and_the_others_are_shown(
    write: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(drive())
    assert main(["inspect", "--json", str(tmp_path / "missing"), str(good)]) == 1
    output = capsys.readouterr()
    assert len(json.loads(output.out)["drives"]) == 1
    assert "cups inspect: " in output.err
    assert "missing: no such bag: check the path" in output.err


def test_an_empty_recording_says_so(write: Callable[..., Path], inspect: Inspect) -> None:
    bag = write([])
    code, facts = inspect(bag)
    assert code == 1
    assert sentences(facts, "stops") == ["the recording holds no messages: record it again"]


def test_the_command_makes_a_dataset_of_a_real_drive(
    shared: Path, tmp_path: Path, inspect: Inspect, monkeypatch: Any
) -> None:
    bag = shared / "data" / "kitti_crossing_bag"
    if not bag.is_dir():
        pytest.skip(f"no bag at {bag}")
    code, facts = inspect(bag, "--verify")
    assert (code, facts["problems"]) == (0, [])
    (rig,) = facts["rigs"]
    assert rig["calibration"]["baseline_m"] == pytest.approx(0.54, abs=0.01)
    assert rig["picture"] == "1242x375 color"
    assert rig["epipolar"]["median_dy_px"] == pytest.approx(0.1, abs=0.2)
    assert rig["pairs"]["pairs"] == 21
    monkeypatch.chdir(tmp_path)
    assert main(facts["command"][1:]) == 0
    assert len(list(tmp_path.glob("dataset/drives/*/left/*"))) == 21
    shutil.rmtree(tmp_path / "dataset")
