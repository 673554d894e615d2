"""Measures the reading of bags beside rosbags, and `cups inspect` on a long one.

    python -m benchmark.recording [--pairs 400] [--repeat 4] [--json]

Bags of raw 640x480 stereo pairs are written to a temporary folder, one of each format. Reading
means: every message, its stamp, paired; the checksums of the chunks are verified where the writer
made some. Files are warm, the best of some runs counts.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from benchmark.table import Row, print_rows
from cups_core.recording.recording import open_recording
from cups_core.stereo_pairing import Side, StereoPairing
from cups_training.inspection.drive_facts import look_at_drive

ROS1, ROS2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_KILTED)
IMAGE = "sensor_msgs/msg/Image"
TOPICS = {"/left/image_rect": Side.LEFT, "/right/image_rect": Side.RIGHT}
PERIOD_NS = 33_000_000
START_NS = 10**11


def _messages(store: Any, pairs: int) -> Iterator[tuple[str, int, bytes]]:
    types = store.types
    picture = np.random.default_rng(0).integers(0, 255, 640 * 480 * 3).astype(np.uint8)
    number = [0] if store is ROS1 else []
    for index in range(pairs):
        stamp_ns = START_NS + index * PERIOD_NS
        time_message = types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 10**9))
        header = types["std_msgs/msg/Header"](*number, time_message, "camera")
        image = types[IMAGE](header, 480, 640, "rgb8", 0, 1920, picture)
        serialize = store.serialize_ros1 if store is ROS1 else store.serialize_cdr
        data = bytes(serialize(image, IMAGE))
        for topic in TOPICS:
            yield topic, stamp_ns, data


def _write_ros2(path: Path, pairs: int, plugin: StoragePlugin, mode: CompressionMode) -> None:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {t: writer.add_connection(t, IMAGE, typestore=ROS2) for t in TOPICS}
        for topic, stamp_ns, data in _messages(ROS2, pairs):
            writer.write(connections[topic], stamp_ns, data)


def _write_with_checksums(path: Path, pairs: int) -> None:
    definition = ROS2.generate_msgdef(IMAGE, ros_version=2)[0].encode()
    with path.open("wb") as file:
        writer = McapWriter(file, compression=CompressionType.NONE)
        writer.start("ros2", "benchmark")
        schema = writer.register_schema(IMAGE, "ros2msg", definition)
        channels = {topic: writer.register_channel(topic, "cdr", schema) for topic in TOPICS}
        for topic, stamp_ns, data in _messages(ROS2, pairs):
            writer.add_message(channels[topic], stamp_ns, data, stamp_ns)
        writer.finish()


def _write_ros1(path: Path, pairs: int) -> None:
    with Rosbag1Writer(path) as writer:
        connections = {t: writer.add_connection(t, IMAGE, typestore=ROS1) for t in TOPICS}
        for topic, stamp_ns, data in _messages(ROS1, pairs):
            writer.write(connections[topic], stamp_ns, data)


BAGS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "MCAP": (
        "mcap",
        lambda path, n: _write_ros2(path, n, StoragePlugin.MCAP, CompressionMode.NONE),
    ),
    "MCAP with checksums": ("checksums.mcap", _write_with_checksums),
    "MCAP, zstd chunks": (
        "zstd",
        lambda path, n: _write_ros2(path, n, StoragePlugin.MCAP, CompressionMode.STORAGE),
    ),
    "sqlite3": (
        "sqlite",
        lambda path, n: _write_ros2(path, n, StoragePlugin.SQLITE3, CompressionMode.NONE),
    ),
    "ROS 1": ("ros1.bag", _write_ros1),
}


def _with_rosbags(bag: Path) -> int:
    pairing: StereoPairing[bytes] = StereoPairing(0, 10)
    with AnyReader([bag]) as reader:
        place = 4
        return sum(
            len(
                pairing.add(
                    TOPICS[connection.topic],
                    _nanoseconds(*struct.unpack_from("<iI", raw, place)),
                    raw,
                )
            )
            for connection, _, raw in reader.messages()
        )


def _nanoseconds(seconds: int, nanoseconds: int) -> int:
    return seconds * 10**9 + nanoseconds


def _with_recording(bag: Path) -> int:
    pairing: StereoPairing[Any] = StereoPairing(0, 10)
    with open_recording([bag]) as recording:
        return sum(
            len(pairing.add(TOPICS[message.topic], message.stamp_ns, message))
            for message in recording.messages(TOPICS)
        )


def _best_s(work: Callable[[], object], repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Write the bags, read them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for name, (file, write) in BAGS.items():
        with tempfile.TemporaryDirectory(prefix="cups_benchmark_") as folder:
            bag = Path(folder) / file
            write(bag, chosen.pairs)
            if _with_recording(bag) != chosen.pairs or _with_rosbags(bag) != chosen.pairs:
                raise SystemExit(f"{name}: expected {chosen.pairs} pairs")
            times_s = [
                _best_s(lambda read=read, bag=bag: read(bag), chosen.repeat)
                for read in (_with_rosbags, _with_recording)
            ]
            looking_s = _best_s(
                lambda bag=bag: look_at_drive(bag.name, [bag], {}, verify=False), chosen.repeat
            )
            rows.append(
                {
                    "bag": name,
                    "rosbags, pairs/s": round(chosen.pairs / times_s[0]),
                    "recording, pairs/s": round(chosen.pairs / times_s[1]),
                    "inspect, s": round(looking_s, 2),
                }
            )
    peak = psutil.Process().memory_info().rss / 2**20
    title = f"{chosen.pairs} pairs of 1.84 MB; {peak:.0f} MiB resident at the end"
    print_rows({title: rows}, chosen.json)


if __name__ == "__main__":
    main()
