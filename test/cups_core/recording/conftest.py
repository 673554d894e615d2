"""Bags of every kind with the same stereo drive in them, and ways to damage them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

ROS1, ROS2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_KILTED)
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
TOPICS = {
    "/rig/left/image_rect": IMAGE,
    "/rig/right/image_rect": IMAGE,
    "/rig/left/camera_info": INFO,
    "/rig/right/camera_info": INFO,
}
FRAMES = 12
PERIOD_NS = 100_000_000
LAG_NS = 5_000_000
WIDTH, HEIGHT = 64, 48

Item = tuple[str, int, Any]
"""Topic, time of recording and message."""


def message(store: Any, topic: str, stamp_ns: int, width: int = WIDTH) -> Any:
    """An image full of noise, or a camera_info, in the types of ROS 1 or ROS 2."""
    types = store.types
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    time = types["builtin_interfaces/msg/Time"](seconds, nanoseconds)
    number = [7] if store is ROS1 else []
    header = types["std_msgs/msg/Header"](*number, time, "left_optical")
    if TOPICS[topic] == IMAGE:
        noise = np.random.default_rng(stamp_ns // 1000).integers(0, 255, HEIGHT * width)
        return types[IMAGE](header, HEIGHT, width, "mono8", 0, width, noise.astype(np.uint8))
    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    shift = -35.0 if "right" in topic else 0.0
    K = np.array([70.0, 0, 32, 0, 70, 24, 0, 0, 1])
    P = np.array([70.0, 0, 32, shift, 0, 70, 24, 0, 0, 0, 1, 0])
    return types[INFO](
        *(header, HEIGHT, width, "plumb_bob", np.zeros(5), K, np.eye(3).ravel(), P, 0, 0, roi)
    )


def drive(store: Any, frames: int = FRAMES, start_ns: int = PERIOD_NS) -> Iterator[Item]:
    """A drive whose messages were recorded a little after their stamps."""
    for number in range(frames):
        stamp_ns = start_ns + number * PERIOD_NS
        for topic in TOPICS:
            yield topic, stamp_ns + LAG_NS, message(store, topic, stamp_ns)


def write_ros2(path: Path, items: Any, plugin: StoragePlugin, mode: CompressionMode) -> Path:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=ROS2)
            for topic, kind in TOPICS.items()
        }
        for topic, recorded_ns, content in items:
            data = ROS2.serialize_cdr(content, TOPICS[topic])
            writer.write(connections[topic], recorded_ns, data)
    return path


def write_mcap(path: Path, items: Any, **options: Any) -> Path:
    """A file of the reference writer, with checksums; `finish=False` leaves it open."""
    is_finished = options.pop("finish", True)
    with path.open("wb") as file:
        writer = McapWriter(file, **{"chunk_size": 4 * WIDTH * HEIGHT, **options})
        writer.start("ros2", "test")
        schemas = {
            kind: writer.register_schema(
                kind, "ros2msg", ROS2.generate_msgdef(kind, ros_version=2)[0].encode()
            )
            for kind in (IMAGE, INFO)
        }
        channels = {
            topic: writer.register_channel(topic, "cdr", schemas[kind])
            for topic, kind in TOPICS.items()
        }
        for topic, recorded_ns, content in items:
            data = bytes(ROS2.serialize_cdr(content, TOPICS[topic]))
            writer.add_message(channels[topic], recorded_ns, data, recorded_ns)
        if is_finished:
            writer.finish()
    return path


def write_ros1(path: Path, items: Any, compression: str = "none") -> Path:
    writer = Rosbag1Writer(path)
    if compression != "none":
        writer.set_compression(Rosbag1Writer.CompressionFormat[compression.upper()])
    writer.chunk_threshold = 4 * WIDTH * HEIGHT
    with writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=ROS1)
            for topic, kind in TOPICS.items()
        }
        for topic, recorded_ns, content in items:
            data = ROS1.serialize_ros1(content, TOPICS[topic])
            writer.write(connections[topic], recorded_ns, data)
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "mcap": lambda folder: write_ros2(
        folder / "m", drive(ROS2), StoragePlugin.MCAP, CompressionMode.NONE
    ),
    "mcap, zstd chunks": lambda folder: write_ros2(
        folder / "z", drive(ROS2), StoragePlugin.MCAP, CompressionMode.STORAGE
    ),
    "mcap, zstd messages": lambda folder: write_ros2(
        folder / "zm", drive(ROS2), StoragePlugin.MCAP, CompressionMode.MESSAGE
    ),
    "mcap, zstd file": lambda folder: write_ros2(
        folder / "zf", drive(ROS2), StoragePlugin.MCAP, CompressionMode.FILE
    ),
    "sqlite": lambda folder: write_ros2(
        folder / "s", drive(ROS2), StoragePlugin.SQLITE3, CompressionMode.NONE
    ),
    "sqlite, zstd messages": lambda folder: write_ros2(
        folder / "sm", drive(ROS2), StoragePlugin.SQLITE3, CompressionMode.MESSAGE
    ),
    "sqlite, zstd file": lambda folder: write_ros2(
        folder / "sf", drive(ROS2), StoragePlugin.SQLITE3, CompressionMode.FILE
    ),
    "mcap with checksums": lambda folder: write_mcap(
        folder / "c.mcap", drive(ROS2), compression=CompressionType.NONE
    ),
    "mcap, lz4 chunks": lambda folder: write_mcap(
        folder / "l.mcap", drive(ROS2), compression=CompressionType.LZ4
    ),
    "mcap without chunks": lambda folder: write_mcap(
        folder / "u.mcap", drive(ROS2), use_chunking=False
    ),
    "mcap without indexes": lambda folder: write_mcap(
        *(folder / "i.mcap", drive(ROS2)),
        index_types=IndexType.NONE,
        use_statistics=False,
        use_summary_offsets=False,
        repeat_channels=False,
        repeat_schemas=False,
    ),
    "ROS 1": lambda folder: write_ros1(folder / "r.bag", drive(ROS1)),
    "ROS 1, bz2": lambda folder: write_ros1(folder / "b.bag", drive(ROS1), "bz2"),
    "ROS 1, lz4": lambda folder: write_ros1(folder / "4.bag", drive(ROS1), "lz4"),
}


@pytest.fixture(params=list(MAKERS))
def any_bag(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return MAKERS[request.param](tmp_path)


class BagWriters:
    """What the tests write bags with."""

    topics = TOPICS
    frames = FRAMES
    period_ns = PERIOD_NS
    lag_ns = LAG_NS
    ros1_types, ros2_types = ROS1, ROS2
    kinds = MAKERS
    message = staticmethod(message)
    drive = staticmethod(drive)
    mcap = staticmethod(write_mcap)
    ros1 = staticmethod(write_ros1)

    @staticmethod
    def ros2(
        path: Path,
        items: Any,
        plugin: StoragePlugin = StoragePlugin.MCAP,
        mode: CompressionMode = CompressionMode.NONE,
    ) -> Path:
        return write_ros2(path, items, plugin, mode)


@pytest.fixture(scope="session")
def write() -> type[BagWriters]:
    return BagWriters
