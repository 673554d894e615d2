"""Every kind of bag gives the same messages as rosbags reads, in the order of recording."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.writer import CompressionType
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer

from cups_core.errors import InputError
from cups_core.recording.recording import RecordedMessage, open_recording

LEFT_IMAGE = "/rig/left/image_rect"
LEFT_INFO = "/rig/left/camera_info"


def read(*paths: Path) -> list[RecordedMessage]:
    """All messages of bags that are not damaged."""
    with open_recording(paths) as recording:
        messages = list(recording.messages(list(recording.topics)))
        assert not recording.damages
    return messages


def test_every_kind_of_bag_is_read_as_rosbags_reads_it(any_bag: Path) -> None:
    with AnyReader([any_bag]) as reader:
        expected = [(c.topic, c.msgtype, time, bytes(raw)) for c, time, raw in reader.messages()]
    found = [(m.topic, m.type_name, m.recorded_ns, bytes(m.raw)) for m in read(any_bag)]
    assert found == expected
    assert len(found) == 48


def test_topics_and_messages_mean_the_same_in_every_kind_of_bag(any_bag: Path, write: Any) -> None:
    with open_recording([any_bag]) as recording:
        assert {name: topic.type_name for name, topic in recording.topics.items()} == write.topics
        assert {topic.count for topic in recording.topics.values()} == {write.frames}
        assert recording.start_ns == write.period_ns + write.lag_ns
        assert recording.end_ns == write.frames * write.period_ns + write.lag_ns
        messages = list(recording.messages([LEFT_IMAGE, LEFT_INFO]))
        stamps = [recording.stamp_ns(m) for m in messages if m.topic == LEFT_IMAGE]
        assert stamps == [(1 + number) * write.period_ns for number in range(write.frames)]
        for message, stamp_ns in zip(messages[::2], stamps, strict=True):
            image = recording.decoded(message)
            expected = write.message(write.ros2_types, LEFT_IMAGE, stamp_ns)
            assert (image.width, image.height, image.step) == (64, 48, 64)
            assert (image.encoding, image.is_bigendian) == ("mono8", 0)
            assert image.data.dtype == np.uint8
            assert not image.data.flags.owndata
            assert (image.data == expected.data).all()
            cdr = recording.cdr(message)
            assert bytes(cdr) == bytes(write.ros2_types.serialize_cdr(expected, message.type_name))
        info = recording.decoded(messages[1])
        assert (info.k[0], info.p[3], len(info.d), info.r[4]) == (70.0, 0.0, 5, 1.0)


def test_a_recording_can_be_read_again_and_given_up_in_between(any_bag: Path) -> None:
    with open_recording([any_bag]) as recording:
        first = [bytes(message.raw) for message in recording.messages([LEFT_IMAGE])]
        next(recording.messages([LEFT_INFO]))
        assert [bytes(message.raw) for message in recording.messages([LEFT_IMAGE])] == first
    assert len(first) == 12


def test_beginnings_have_the_same_order_stamps_and_first_bytes(any_bag: Path) -> None:
    with open_recording([any_bag]) as recording:
        whole = list(recording.messages(list(recording.topics)))
        cut = list(recording.messages(list(recording.topics), beginnings=True))
        assert [message[:3] for message in cut] == [message[:3] for message in whole]
        for message, beginning in zip(whole, cut, strict=True):
            assert bytes(message.raw).startswith(bytes(beginning.raw))
            assert len(beginning.raw) >= min(256, len(message.raw))
            assert beginning.stamp_ns == message.stamp_ns
        assert not recording.damages


@pytest.mark.parametrize("kind", ["mcap", "sqlite", "ros1"])
def test_of_large_pictures_only_the_beginnings_are_read(
    tmp_path: Path, write: Any, kind: str
) -> None:
    store = write.ros1_types if kind == "ros1" else write.ros2_types
    items = [
        (LEFT_IMAGE, number, write.message(store, LEFT_IMAGE, number, width=4096))
        for number in range(1, 4)
    ]
    bag = {
        "mcap": lambda: write.mcap(tmp_path / "m.mcap", items, compression=CompressionType.NONE),
        "sqlite": lambda: write.ros2(tmp_path / "s", items, StoragePlugin.SQLITE3),
        "ros1": lambda: write.ros1(tmp_path / "r.bag", items),
    }[kind]()
    with open_recording([bag]) as recording:
        found = list(recording.messages([LEFT_IMAGE], beginnings=True))
    assert [message.stamp_ns for message in found] == [1, 2, 3]
    assert {len(message.raw) for message in found} == {256}


def test_a_window_of_time_has_the_messages_between_its_ends(any_bag: Path, write: Any) -> None:
    start_ns, end_ns = (n * write.period_ns + write.lag_ns for n in (3, 5))
    with open_recording([any_bag]) as recording:
        found = list(recording.messages([LEFT_INFO], start_ns=start_ns, end_ns=end_ns))
        assert [m.recorded_ns for m in found] == [start_ns, start_ns + write.period_ns, end_ns]
        assert not list(recording.messages([LEFT_INFO], start_ns=10**12))


def test_a_topic_that_is_not_there_is_refused(any_bag: Path) -> None:
    with (
        open_recording([any_bag]) as recording,
        pytest.raises(InputError, match="no topic /typo; the recording has /rig/left/camera_info"),
    ):
        recording.messages(["/typo", LEFT_IMAGE])


def test_several_files_in_a_folder_are_one_drive(tmp_path: Path, write: Any) -> None:
    for number in (0, 1, 2, 10):
        start_ns = (1 + number * 100) * write.period_ns
        write.ros1(tmp_path / f"x_{number}.bag", write.drive(write.ros1_types, 3, start_ns))
    (tmp_path / "notes.txt").write_text("no bag")
    stamps = [message.stamp_ns for message in read(tmp_path) if message.topic == LEFT_IMAGE]
    assert len(stamps) == 12
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_several_bags_are_one_drive_in_the_order_of_time(
    tmp_path: Path, write: Any, plugin: StoragePlugin
) -> None:
    late = write.ros2(tmp_path / "a", write.drive(write.ros2_types, 3, 10**9), plugin)
    early = write.ros2(tmp_path / "b", write.drive(write.ros2_types, 3), plugin)
    with open_recording([late, early]) as recording:
        stamps = [message.stamp_ns for message in recording.messages([LEFT_IMAGE])]
        assert recording.topics[LEFT_IMAGE].count == 6
        assert [source.size for source in recording.sources] == [
            source.path.stat().st_size for source in recording.sources
        ]
    assert stamps == [100_000_000 * n for n in (1, 2, 3, 10, 11, 12)]


def test_two_recorders_of_one_drive_are_merged(tmp_path: Path, write: Any) -> None:
    items = list(write.drive(write.ros2_types))
    sides = [
        write.ros2(tmp_path / side, (item for item in items if side in item[0]))
        for side in ("left", "right")
    ]
    assert [m.topic for m in read(*sides)[:4]] == [
        *("/rig/left/image_rect", "/rig/left/camera_info"),
        *("/rig/right/image_rect", "/rig/right/camera_info"),
    ]


def test_a_file_that_wrote_topic_after_topic_is_merged_by_time(tmp_path: Path, write: Any) -> None:
    items = list(write.drive(write.ros2_types, frames=40))
    by_topic = [item for topic in write.topics for item in items if item[0] == topic]
    for messages in (
        read(write.mcap(tmp_path / "t.mcap", by_topic)),
        read(write.ros2(tmp_path / "s", by_topic, StoragePlugin.SQLITE3)),
    ):
        assert [m.recorded_ns for m in messages] == [item[1] for item in items]
        assert {m.topic for m in messages[:4]} == set(write.topics)


def test_what_was_recorded_after_a_clock_was_set_back_comes_after_it(
    tmp_path: Path, write: Any
) -> None:
    def items(store: Any) -> list[Any]:
        # The second part begins 2 s into the first one.
        return [
            *write.drive(store, 40),
            *write.drive(store, 40, 21 * write.period_ns + 30_000_000),
        ]

    for bag in (
        write.mcap(tmp_path / "j.mcap", items(write.ros2_types)),
        write.mcap(tmp_path / "one_chunk.mcap", items(write.ros2_types), chunk_size=1 << 24),
        write.ros2(tmp_path / "j", items(write.ros2_types), StoragePlugin.SQLITE3),
        write.ros1(tmp_path / "j.bag", items(write.ros1_types)),
    ):
        stamps = [m.stamp_ns for m in read(bag) if m.topic == LEFT_IMAGE]
        assert len(stamps) == 80
        assert [late - early for early, late in pairwise(stamps)].count(write.period_ns) == 78
        assert stamps[40] == 21 * write.period_ns + 30_000_000


def test_split_files_of_a_clock_that_was_set_back_are_read_one_after_the_other(
    tmp_path: Path, write: Any
) -> None:
    write.ros1(tmp_path / "x_0.bag", write.drive(write.ros1_types, 40))
    write.ros1(tmp_path / "x_1.bag", write.drive(write.ros1_types, 40, 2_130_000_000))
    stamps = [m.stamp_ns for m in read(tmp_path) if m.topic == LEFT_IMAGE]
    assert [late > early for early, late in pairwise(stamps)].count(False) == 1
    assert stamps[40] == 2_130_000_000


def test_messages_that_a_killed_recorder_left_in_the_log_of_sqlite_are_read(
    tmp_path: Path, write: Any
) -> None:
    bag = write.ros2(tmp_path / "s", write.drive(write.ros2_types), StoragePlugin.SQLITE3)
    database = sqlite3.connect(bag / "s.db3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "INSERT INTO messages SELECT 100, topic_id, timestamp, data FROM messages WHERE id = 1"
    )
    database.commit()
    # Like a recorder that is killed: the log stays.
    killed = tmp_path / "killed"
    shutil.copytree(bag, killed)
    database.close()
    assert (killed / "s.db3-wal").stat().st_size
    assert len(read(killed)) == 49


def test_bags_of_old_distributions_without_definitions_are_decoded(
    tmp_path: Path, write: Any
) -> None:
    bag = write.ros2(tmp_path / "s", write.drive(write.ros2_types), StoragePlugin.SQLITE3)
    with sqlite3.connect(bag / "s.db3") as database:
        for table in ("schema", "metadata", "message_definitions"):
            database.execute(f"DROP TABLE {table}")
        for column in ("type_description_hash", "offered_qos_profiles"):
            database.execute(f"ALTER TABLE topics DROP COLUMN {column}")
    database.close()
    with open_recording([bag]) as recording:
        message = next(recording.messages([LEFT_INFO]))
        assert recording.decoded(message).p[0] == 70.0


def test_what_the_publishers_offered_is_known(tmp_path: Path, write: Any) -> None:
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    never = QosTime(0, 0)
    offered = Qos(
        *(QosHistory.KEEP_LAST, 5, QosReliability.BEST_EFFORT, QosDurability.VOLATILE),
        *(never, never, QosLiveliness.AUTOMATIC, never, False),
    )
    for plugin in StoragePlugin:
        path = tmp_path / plugin.name
        with Rosbag2Writer(path, version=9, storage_plugin=plugin) as writer:
            for topic, profiles in (("/a", [offered]), ("/b", [])):
                connection = writer.add_connection(
                    *(topic, write.topics[LEFT_INFO]),
                    typestore=write.ros2_types,
                    offered_qos_profiles=profiles,
                )
                writer.write(connection, 1, b"\0\1\0\0")
        with open_recording([path]) as recording:
            assert recording.topics["/a"].reliability == "best_effort"
            assert recording.topics["/b"].reliability is None


def test_big_endian_messages_are_read(tmp_path: Path, write: Any) -> None:
    image = write.message(write.ros2_types, LEFT_IMAGE, 3_000_000_004)
    data = write.ros2_types.serialize_cdr(image, write.topics[LEFT_IMAGE], little_endian=False)
    with Rosbag2Writer(tmp_path / "b", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            LEFT_IMAGE, write.topics[LEFT_IMAGE], typestore=write.ros2_types
        )
        writer.write(connection, 1, data)
    with open_recording([tmp_path / "b"]) as recording:
        message = next(recording.messages([LEFT_IMAGE]))
        assert message.stamp_ns == 3_000_000_004
        assert recording.decoded(message).width == 64


def test_the_library_itself_does_not_load_the_readers_of_bags() -> None:
    code = (
        "import sys, cups_core, cups_core.rig, cups_core.pseudo_labels;"
        "sys.exit(bool({'rosbags', 'apsw', 'mcap', 'lz4'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.FILE])
def test_memory_does_not_grow_with_the_bag(
    tmp_path: Path, write: Any, mode: CompressionMode
) -> None:
    psutil = pytest.importorskip("psutil")
    kind, topic = write.topics[LEFT_IMAGE], LEFT_IMAGE
    image = write.message(write.ros2_types, topic, 1)
    image.data = np.zeros(1 << 20, np.uint8)
    data = write.ros2_types.serialize_cdr(image, kind)
    writer = Rosbag2Writer(tmp_path / "long", version=9, storage_plugin=StoragePlugin.MCAP)
    from rosbags.rosbag2 import CompressionFormat

    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(topic, kind, typestore=write.ros2_types)
        for number in range(120):
            writer.write(connection, number, data)
    process = psutil.Process()
    with open_recording([tmp_path / "long"]) as recording:
        messages = recording.messages([topic])
        next(messages)
        before = process.memory_info().rss
        assert sum(1 for _ in messages) == 119
        assert process.memory_info().rss - before < 32 << 20
