"""A recorded drive, written anew in every format of bag, gives one and the same dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from cups_core.image_decoding import decode_compressed
from cups_training.dataset.drive import Drive

from .conftest import RAW, ROS1, ROS2, Extract, all_bytes, write_ros1, write_ros2

COMPRESSED = "sensor_msgs/msg/CompressedImage"
TABLES = ("frames.jsonl", "pairs.jsonl", "calibration.json")
FRAMES = 8
MESSAGES_OF_A_FRAME = 4

Item = tuple[str, str, int, Any]


@pytest.fixture
def crossing(shared: Path) -> Path:
    folder = shared / "data/kitti_crossing_bag"
    if not folder.is_dir():
        pytest.skip(f"no recorded drive at {folder}")
    return folder


def items_of(bag: Path) -> list[Item]:
    with AnyReader([bag]) as reader:
        return [
            (found.topic, found.msgtype, time, reader.deserialize(raw, found.msgtype))
            for found, time, raw in reader.messages()
        ]


def in_ros1(message: Any) -> Any:
    """The message with the header of ROS 1."""
    header = message.header
    stamp = ROS1.types["builtin_interfaces/msg/Time"](header.stamp.sec, header.stamp.nanosec)
    made = ROS1.types["std_msgs/msg/Header"](0, stamp, header.frame_id)
    if message.__msgtype__ == COMPRESSED:
        return ROS1.types[COMPRESSED](made, message.format, message.data)
    roi = ROS1.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return ROS1.types[message.__msgtype__](
        *(made, message.height, message.width, message.distortion_model),
        *(message.d, message.k, message.r, message.p, 0, 0, roi),
    )


def as_raw(item: Item) -> Item:
    topic, kind, time, message = item
    if kind != COMPRESSED:
        return item
    pixels = np.ascontiguousarray(decode_compressed(message, topic))
    height, width = pixels.shape[:2]
    data = pixels.reshape(-1)
    image = ROS2.types[RAW](message.header, height, width, "rgb8", 0, 3 * width, data)
    return topic.removesuffix("/compressed"), RAW, time, image


def rewritten(items: list[Item], kind: str, folder: Path) -> Path:
    folder.mkdir()
    if kind == "ros1":
        return write_ros1(folder / "drive.bag", [(*item[:3], in_ros1(item[3])) for item in items])
    if kind == "raw":
        return write_ros2(folder / "drive", map(as_raw, items), StoragePlugin.MCAP)
    plugin, mode = {
        "sqlite3": (StoragePlugin.SQLITE3, CompressionMode.NONE),
        "zstd messages": (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        "zstd files": (StoragePlugin.SQLITE3, CompressionMode.FILE),
        "zstd chunks": (StoragePlugin.MCAP, CompressionMode.STORAGE),
    }[kind]
    return write_ros2(folder / "drive", items, plugin, mode)


def test_every_format_gives_the_same_dataset(
    crossing: Path, tmp_path: Path, extract: Extract
) -> None:
    items = items_of(crossing)[: FRAMES * MESSAGES_OF_A_FRAME]
    source = write_ros2(tmp_path / "drive", items, StoragePlugin.MCAP)
    assert extract(source, tmp_path / "set")[0] == 0
    expected = Drive(tmp_path / "set/drives/drive")
    files = all_bytes(expected.path)
    assert len(expected) == FRAMES
    for kind in ("ros1", "sqlite3", "zstd messages", "zstd files", "zstd chunks", "raw"):
        source = rewritten(items, kind, tmp_path / kind)
        code, summary = extract(source, tmp_path / kind / "set")
        assert (code, summary["recordings"][0]["frames"]) == (0, FRAMES), kind
        found = Drive(tmp_path / kind / "set/drives/drive")
        now = all_bytes(found.path)
        assert {name: now[name] for name in TABLES} == {name: files[name] for name in TABLES}, kind
        if kind == "raw":
            for index in range(0, FRAMES, 3):
                one, other = expected.frame(index), found.frame(index)
                np.testing.assert_array_equal(one.left, other.left)
                np.testing.assert_array_equal(one.right, other.right)
        else:
            pictures = {name: data for name, data in files.items() if name.endswith(".png")}
            assert {name: now[name] for name in pictures} == pictures, kind
