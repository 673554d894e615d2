"""What is readable of a damaged bag comes out, what is not is told with its number and advice."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer

from cups_core.errors import InputError, RecordingError
from cups_core.recording.recording import Damage, RecordedMessage, open_recording

LEFT_IMAGE = "/rig/left/image_rect"
FRAMES = 60


def read(*paths: Path) -> tuple[list[RecordedMessage], list[Damage]]:
    """All that can be read of damaged bags, and what was told."""
    with open_recording(paths) as recording:
        messages = list(recording.messages(list(recording.topics)))
        assert all(damage.advice and damage.what for damage in recording.damages)
        return messages, recording.damages


def keys(messages: list[RecordedMessage]) -> list[tuple[str, int, bytes]]:
    return [(message.topic, message.recorded_ns, bytes(message.raw)) for message in messages]


def cut(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])


def overwrite(file: Path, position: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(position)
        opened.write(data)


def expect_beginning(whole: list[Any], found: list[Any], least_share: float) -> None:
    """The found messages are the first ones, and at least that share of all."""
    assert found == whole[: len(found)]
    assert least_share * len(whole) <= len(found) < len(whole)


@pytest.fixture(scope="module")
def mcap(tmp_path_factory: pytest.TempPathFactory, write: Any) -> Path:
    """A file with checksums, one frame per chunk."""
    path = tmp_path_factory.mktemp("mcap") / "drive.mcap"
    return write.mcap(path, write.drive(write.ros2_types, FRAMES), compression=CompressionType.NONE)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory, write: Any) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "drive"
    return write.ros2(path, write.drive(write.ros2_types, FRAMES), StoragePlugin.SQLITE3)


@pytest.fixture(scope="module")
def ros1(tmp_path_factory: pytest.TempPathFactory, write: Any) -> Path:
    path = tmp_path_factory.mktemp("ros1") / "drive.bag"
    return write.ros1(path, write.drive(write.ros1_types, FRAMES))


@pytest.mark.parametrize("compression", list(CompressionType))
def test_a_cut_mcap_file_is_read_to_the_cut(
    tmp_path: Path, write: Any, compression: CompressionType
) -> None:
    file = write.mcap(
        *(tmp_path / "drive.mcap", write.drive(write.ros2_types, FRAMES)), compression=compression
    )
    whole = keys(read(file)[0])
    cut(file, 0.5)
    messages, (damage,) = read(file)
    expect_beginning(whole, keys(messages), 0.45)
    assert damage.file == file
    assert "the recorder did not close it, or it was cut" in damage.what
    assert f"{len(messages)} messages were found" in damage.what
    assert "mcap recover" in damage.advice


def test_what_a_cut_mcap_file_lost_is_known_from_the_metadata(tmp_path: Path, write: Any) -> None:
    bag = write.ros2(tmp_path / "drive", write.drive(write.ros2_types, 900))
    cut(bag / "drive.mcap", 0.5)
    messages, (damage,) = read(bag)
    assert damage.messages_lost == 4 * 900 - len(messages)
    assert 0.4 < len(messages) / (4 * 900) < 0.55


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_recorder_that_was_killed_leaves_what_it_wrote(
    tmp_path: Path, write: Any, plugin: StoragePlugin
) -> None:
    items = list(write.drive(write.ros2_types, 900 if plugin is StoragePlugin.MCAP else 60))
    writer = Rosbag2Writer(tmp_path / "drive", version=9, storage_plugin=plugin)
    writer.open()
    connections = {
        topic: writer.add_connection(topic, kind, typestore=write.ros2_types)
        for topic, kind in write.topics.items()
    }
    for topic, recorded_ns, message in items:
        data = write.ros2_types.serialize_cdr(message, write.topics[topic])
        writer.write(connections[topic], recorded_ns, data)
    if plugin is StoragePlugin.MCAP:
        writer.storage.bio.flush()
    else:
        writer.storage.conn.commit()
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "drive", killed)
    writer.abort()
    messages, damages = read(killed)
    assert len(messages) > 0.6 * len(items)
    assert [(m.topic, m.recorded_ns) for m in messages] == [
        item[:2] for item in items[: len(messages)]
    ]
    assert "metadata.yaml is missing" in damages[0].what
    assert damages[0].messages_lost == 0


def test_a_reference_writer_that_did_not_finish_leaves_its_chunks(
    tmp_path: Path, write: Any
) -> None:
    file = write.mcap(
        *(tmp_path / "drive.mcap", write.drive(write.ros2_types, FRAMES)), finish=False
    )
    messages, (damage,) = read(file)
    assert 0.9 * 4 * FRAMES < len(messages) < 4 * FRAMES
    assert "the recorder did not close it" in damage.what


def test_a_corrupt_chunk_is_left_out_with_its_number_of_messages(
    tmp_path: Path, mcap: Path
) -> None:
    whole = keys(read(mcap)[0])
    file = Path(shutil.copy(mcap, tmp_path))
    # In the middle of a picture: nothing but the checksum tells.
    middle = file.read_bytes().index(whole[len(whole) // 2][2]) + 500
    overwrite(file, middle, b"\xff" * 40)
    messages, (damage,) = read(file)
    lost = [key for key in whole if key not in keys(messages)]
    assert keys(messages) == [key for key in whole if key not in lost]
    assert damage.messages_lost == len(lost) > 0
    assert "the checksum does not fit the data" in damage.what
    assert f"{file}: the chunk at byte" in str(damage)


def test_a_chunk_whose_head_is_overwritten_is_left_out(tmp_path: Path, mcap: Path) -> None:
    whole = keys(read(mcap)[0])
    file = Path(shutil.copy(mcap, tmp_path))
    content = file.read_bytes()
    place = content.index(whole[len(whole) // 2][2])
    head = content.rindex(b"\x06", 0, place)
    while content[head + 6 : head + 9] != b"\0\0\0":
        head = content.rindex(b"\x06", 0, head)
    overwrite(file, head, b"\xff" * 60)
    messages, (damage,) = read(file)
    assert "its head is overwritten" in damage.what
    assert len(messages) == len(whole) - (damage.messages_lost or 0)
    # Without the index the same chunk is found to be missing on the way.
    cut(file, 0.95)
    messages, damages = read(file)
    assert "bytes at" in damages[0].what
    assert 0.85 * len(whole) < len(messages) < len(whole)


@given(
    share=st.floats(0, 1),
    length=st.integers(1, 5000),
    byte=st.sampled_from([0x00, 0xFF, 0x06, 0x0D]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_overwritten_byte_of_a_file_with_checksums_goes_unnoticed(
    tmp_path: Path, mcap: Path, share: float, length: int, byte: int
) -> None:
    whole = keys(read(mcap)[0])
    file = Path(shutil.copy(mcap, tmp_path))
    position = int(share * (file.stat().st_size - 1))
    before = file.read_bytes()
    overwrite(file, position, bytes([byte]) * min(length, len(before) - position))
    messages, damages = read(file)
    assert not set(keys(messages)) - set(whole)
    # Two chunks at the most.
    assert len(messages) >= len(whole) - 40
    if len(messages) < len(whole):
        assert damages


@given(share=st.floats(0, 1), kind=st.sampled_from(["mcap", "ros1"]))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_cut_anywhere_gives_a_beginning_of_it(
    tmp_path: Path, mcap: Path, ros1: Path, share: float, kind: str
) -> None:
    source = mcap if kind == "mcap" else ros1
    whole = keys(read(source)[0])
    file = Path(shutil.copy(source, tmp_path))
    cut(file, share)
    try:
        messages, damages = read(file)
    except RecordingError as error:
        assert "the file is empty" in str(error)  # noqa: PT017
        assert not file.stat().st_size
        return
    assert keys(messages) == whole[: len(messages)]
    assert len(messages) >= int(share * len(whole)) - 8
    assert damages or file.stat().st_size == source.stat().st_size


@pytest.mark.parametrize("share", [0.999, 0.5, 0.1])
def test_a_cut_sqlite_file_gives_the_rows_in_the_pages_that_are_left(
    tmp_path: Path, sqlite: Path, share: float
) -> None:
    whole = keys(read(sqlite)[0])
    bag = shutil.copytree(sqlite, tmp_path / "drive")
    cut(bag / "drive.db3", share)
    messages, (damage,) = read(bag)
    expect_beginning(whole, keys(messages), share - 0.07)
    assert damage.messages_lost == len(whole) - len(messages)


@given(share=st.floats(0.1, 1), pages=st.integers(1, 5))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_overwritten_pages_of_sqlite_cost_no_more_than_their_rows(
    tmp_path: Path, sqlite: Path, share: float, pages: int
) -> None:
    whole = {key[:2] for key in keys(read(sqlite)[0])}
    bag = tmp_path / "drive"
    shutil.rmtree(bag, ignore_errors=True)
    shutil.copytree(sqlite, bag)
    file = bag / "drive.db3"
    first = int(share * (file.stat().st_size // 4096 - pages))
    overwrite(file, first * 4096, b"\xff" * pages * 4096)
    messages, damages = read(bag)
    found = {(message.topic, message.recorded_ns) for message in messages}
    assert found <= whole
    assert len(messages) == len(found)
    lost = sum(damage.messages_lost or 0 for damage in damages)
    assert len(whole) - len(found) == lost
    # A page holds the beginnings of a handful of rows.
    assert lost <= 10 * pages


def test_the_topics_of_an_sqlite_file_may_be_lost(tmp_path: Path, sqlite: Path) -> None:
    bag = shutil.copytree(sqlite, tmp_path / "drive")
    overwrite(bag / "drive.db3", 0, b"\xff" * 10 * 4096)
    with pytest.raises(RecordingError, match=r"drive.db3: .* the names of the topics are lost"):
        open_recording([bag])


def test_messages_of_a_topic_that_is_not_named_are_counted(tmp_path: Path, sqlite: Path) -> None:
    bag = shutil.copytree(sqlite, tmp_path / "drive")
    with sqlite3.connect(bag / "drive.db3") as database:
        database.execute("DELETE FROM topics WHERE id = 1")
    database.close()
    messages, (damage,) = read(bag)
    assert (len(messages), damage.messages_lost) == (3 * FRAMES, FRAMES)


@pytest.mark.parametrize("kind", ["mcap", "ros1"])
def test_a_message_whose_number_of_topic_was_overwritten_is_missed(
    tmp_path: Path, write: Any, kind: str
) -> None:
    if kind == "mcap":
        # Without a checksum nothing but the index can tell.
        file = write.ros2(tmp_path / "d", write.drive(write.ros2_types)) / "d.mcap"
        content = file.read_bytes()
        # The record of a message: its kind and length, number of the channel 2, sequence 0.
        second = (105_000_000 + write.period_ns).to_bytes(8, "little")
        place = content.index(b"\2\0" + bytes(4) + second)
    else:
        file = write.ros1(tmp_path / "d.bag", write.drive(write.ros1_types))
        place = file.read_bytes().index(b"op=\x02")
        place = file.read_bytes().rindex(b"conn=", 0, place + 30) + 5
    overwrite(file, place, b"\x77")
    messages, damages = read(file)
    assert len(messages) == 47
    assert sum(damage.messages_lost or 0 for damage in damages) == 1


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_a_cut_bag_of_ros_1_is_read_to_the_cut(
    tmp_path: Path, write: Any, compression: str
) -> None:
    file = write.ros1(tmp_path / "d.bag", write.drive(write.ros1_types, FRAMES), compression)
    whole = keys(read(file)[0])
    cut(file, 0.5)
    messages, (damage,) = read(file)
    expect_beginning(whole, keys(messages), 0.4)
    assert f"{len(messages)} messages were found" in damage.what
    assert "rosbag reindex" in damage.advice


def test_a_bag_of_ros_1_that_is_still_active_is_read(tmp_path: Path, ros1: Path) -> None:
    whole = keys(read(ros1)[0])
    file = Path(shutil.copy(ros1, tmp_path / "drive.bag.active"))
    content = file.read_bytes()
    place = content.index(b"index_pos=") + len(b"index_pos=")
    index = int.from_bytes(content[place : place + 8], "little")
    file.write_bytes(content[:place] + bytes(8) + content[place + 8 : index])
    messages, (damage,) = read(file)
    assert keys(messages) == whole
    assert "the recorder did not close it" in damage.what


def test_overwritten_bytes_of_a_ros_1_bag_cost_their_chunk(tmp_path: Path, ros1: Path) -> None:
    whole = keys(read(ros1)[0])
    file = Path(shutil.copy(ros1, tmp_path))
    content = file.read_bytes()
    chunk = content.index(b"compression=", len(content) // 2)
    overwrite(file, chunk - 30, b"\xff" * 100)
    messages, damages = read(file)
    assert "bytes at" in damages[0].what
    assert len(whole) - 10 <= len(messages) < len(whole)
    assert set(keys(messages)) < set(whole)
    # Inside of a chunk the messages before the damage are read.
    shutil.copy(ros1, tmp_path)
    message = content.index(b"op=\x02", content.index(b"op=\x02", len(content) // 2) + 1)
    overwrite(file, message - 8, b"\xff" * 30)
    messages, (damage,) = read(file)
    assert len(messages) == len(whole) - (damage.messages_lost or 0) < len(whole)


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_cut_compressed_file_is_unpacked_to_the_cut(
    tmp_path: Path, write: Any, plugin: StoragePlugin
) -> None:
    frames = 900 if plugin is StoragePlugin.MCAP else FRAMES
    items = write.drive(write.ros2_types, frames)
    bag = write.ros2(tmp_path / "drive", items, plugin, CompressionMode.FILE)
    whole = keys(read(bag)[0])
    cut(next(bag.glob("*.zstd")), 0.5)
    messages, damages = read(bag)
    expect_beginning(whole, keys(messages), 0.4)
    assert any("does not unpack to its end" in damage.what for damage in damages)
    assert damages[-1].messages_lost == len(whole) - len(messages)
    assert all(damage.file.suffix == ".zstd" for damage in damages)


def test_messages_that_do_not_unpack_are_counted(tmp_path: Path, write: Any) -> None:
    items = write.drive(write.ros2_types)
    bag = write.ros2(tmp_path / "d", items, StoragePlugin.SQLITE3, CompressionMode.MESSAGE)
    with sqlite3.connect(bag / "d.db3") as database:
        database.execute("UPDATE messages SET data = substr(data, 1, 100) WHERE id IN (1, 5)")
    database.close()
    messages, (damage,) = read(bag)
    assert (len(messages), damage.messages_lost) == (46, 2)


def test_files_that_the_metadata_names_may_be_missing(tmp_path: Path, write: Any) -> None:
    bag = _split_bag(tmp_path, write)
    (bag / "x_1.mcap").unlink()
    messages, (damage,) = read(bag)
    assert len(messages) == 2 * 48
    assert (damage.file.name, damage.messages_lost) == ("x_1.mcap", 48)
    assert "names it, but it is not there" in damage.what


def test_files_that_were_renamed_are_read_all_the_same(tmp_path: Path, write: Any) -> None:
    bag = _split_bag(tmp_path, write)
    for number in range(3):
        (bag / f"x_{number}.mcap").rename(bag / f"renamed_{number}.mcap")
    messages, damages = read(bag)
    assert (len(messages), damages) == (3 * 48, [])


def test_a_file_that_the_metadata_does_not_name_is_left_out_and_told(
    tmp_path: Path, write: Any
) -> None:
    bag = _split_bag(tmp_path, write)
    shutil.copy(bag / "x_0.mcap", bag / "copy.mcap")
    messages, (damage,) = read(bag)
    assert len(messages) == 3 * 48
    assert damage.file.name == "copy.mcap"


def _split_bag(folder: Path, write: Any) -> Path:
    parts = [
        write.ros2(folder / f"x_{n}", write.drive(write.ros2_types, 12, (1 + n * 100) * 10**8))
        for n in range(3)
    ]
    bag = folder / "bag"
    bag.mkdir()
    content = yaml.safe_load((parts[0] / "metadata.yaml").read_text())
    information = content["rosbag2_bagfile_information"]
    information["relative_file_paths"] = [f"x_{n}.mcap" for n in range(3)]
    information["files"] = [information["files"][0] | {"path": f"x_{n}.mcap"} for n in range(3)]
    for part in parts:
        shutil.copy(part / f"{part.name}.mcap", bag)
    (bag / "metadata.yaml").write_text(yaml.safe_dump(content))
    return bag


@pytest.mark.parametrize("text", ["", "a: [", "rosbag2_bagfile_information: {}", "\x00\xff"])
def test_metadata_that_cannot_be_read_is_done_without(
    tmp_path: Path, write: Any, text: str
) -> None:
    bag = write.ros2(tmp_path / "d", write.drive(write.ros2_types))
    (bag / "metadata.yaml").write_text(text)
    messages, (damage,) = read(bag)
    assert (len(messages), damage.messages_lost) == (48, 0)
    assert damage.file.name == "metadata.yaml"


def test_an_empty_bag_is_read_as_such(tmp_path: Path, write: Any) -> None:
    for bag in (
        write.ros2(tmp_path / "m", ()),
        write.ros2(tmp_path / "s", (), StoragePlugin.SQLITE3),
        write.ros1(tmp_path / "r.bag", ()),
        write.mcap(tmp_path / "c.mcap", ()),
    ):
        with open_recording([bag]) as recording:
            assert not list(recording.messages(list(recording.topics)))
            assert (recording.start_ns, recording.end_ns) == (None, None)
            assert not recording.damages
            assert all(topic.count == 0 for topic in recording.topics.values())


def _nothing(folder: Path) -> Path:
    return folder / "missing"


def _empty_folder(folder: Path) -> Path:
    return folder


def _pictures(folder: Path) -> Path:
    (folder / "left").mkdir()
    return folder


def _empty_file(folder: Path) -> Path:
    (folder / "a.mcap").touch()
    return folder / "a.mcap"


def _foreign(folder: Path) -> Path:
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no bag")
    return folder / "a.jpg"


def _noise(folder: Path) -> Path:
    (folder / "a.db3").write_bytes(bytes(range(256)) * 100)
    return folder / "a.db3"


def _other_database(folder: Path) -> Path:
    database = sqlite3.connect(folder / "a.db3")
    database.execute("CREATE TABLE people(name TEXT)")
    database.commit()
    database.close()
    return folder


def _bags(folder: Path) -> Path:
    for name in ("monday", "tuesday"):
        (folder / name).mkdir()
        (folder / name / "a.mcap").touch()
    return folder


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_nothing, "no such bag: check the path"),
        (_empty_folder, "expected a bag .* found an empty folder"),
        (_pictures, "expected a bag .* found left"),
        (_empty_file, "the file is empty"),
        (_foreign, "expected a bag .*, found a file that begins with"),
        (_noise, "file is not a database, and the names of the topics are lost"),
        (_other_database, "expected .* the tables topics and messages, found people"),
        (_bags, r"found a folder of 2 bags \(monday, tuesday\): name those"),
    ],
)
def test_what_is_no_bag_is_refused_with_one_sentence(
    tmp_path: Path, make: Callable[[Path], Path], sentence: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(RecordingError, match=sentence) as raised:
        open_recording([path])
    assert str(path) in str(raised.value)


def test_a_file_that_is_no_bag_does_not_spoil_the_others(tmp_path: Path, write: Any) -> None:
    good = write.mcap(tmp_path / "a.mcap", write.drive(write.ros2_types))
    (tmp_path / "b.mcap").touch()
    messages, (_, damage) = read(tmp_path)
    assert len(messages) == 48
    assert damage.file.name == "b.mcap"
    assert "the file is empty" in damage.what
    assert len(read(good)[0]) == 48


def test_noise_named_mcap_is_an_empty_recording_with_a_damage(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"not a bag")
    messages, (damage,) = read(tmp_path / "a.mcap")
    assert not messages
    assert "does not begin as an MCAP file does" in damage.what


def test_a_type_that_nobody_defines_is_told_when_decoded(tmp_path: Path, write: Any) -> None:
    with Rosbag2Writer(tmp_path / "d", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, name, text in (
            ("/defined", "my/msg/Speed", "float64 speed\n"),
            ("/empty", "my/msg/Nothing", ""),
        ):
            connection = writer.add_connection(topic, name, msgdef=text, rihs01="RIHS01_00")
            writer.write(connection, 1, b"\0\1\0\0" + bytes(6) + b"\xf0\x3f")
    with open_recording([tmp_path / "d"]) as recording:
        (message,) = recording.messages(["/defined"])
        assert recording.decoded(message).speed == 1.0
        (message,) = recording.messages(["/empty"])
        with pytest.raises(InputError, match="the type my/msg/Nothing is unknown"):
            recording.decoded(message)


def test_a_message_that_is_none_is_told_when_decoded(tmp_path: Path, write: Any) -> None:
    with Rosbag2Writer(tmp_path / "d", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            LEFT_IMAGE, write.topics[LEFT_IMAGE], typestore=write.ros2_types
        )
        writer.write(connection, 1, b"\0\1\0\0abc")
    with open_recording([tmp_path / "d"]) as recording:
        (message,) = recording.messages([LEFT_IMAGE])
        with pytest.raises(InputError, match="expected a sensor_msgs/msg/Image, found 7 bytes"):
            recording.decoded(message)
        with pytest.raises(InputError, match="begins with a header, found 7 bytes"):
            recording.stamp_ns(message)
