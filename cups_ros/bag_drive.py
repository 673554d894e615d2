"""A stereo drive from a bag, ROS 2 (MCAP, sqlite3) or ROS 1; `drive_player` plays it.

The messages are passed on as they were recorded, without decoding them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag1 import ReaderError as Rosbag1Error
from rosbags.rosbag2 import ReaderError as Rosbag2Error
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from cups_ros.drive_source import BagError, Channel, DriveMessage, header_stamp_ns

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
RAW, COMPRESSED, INFO = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)
ROS2_TYPES = get_typestore(Stores.ROS2_KILTED)
# How the drivers of stereo cameras name the two sides.
SIDE_WORDS = {"left": {"left", "infra1", "cam0"}, "right": {"right", "infra2", "cam1"}}
# Rectified pictures before others, and among them the plain name first.
IMAGE_NAMES = ("image_rect", "image_rect_color", "image_rect_raw", "image", "image_raw")


def is_bag(path: Path) -> bool:
    """Whether the file or folder looks like a bag."""
    return (
        path.suffix in BAG_SUFFIXES or (path / "metadata.yaml").is_file() or bool(_data_files(path))
    )


class BagDrive:
    """The stereo topics of a bag.

    Attributes:
        topics: the recorded topic of each channel.
        is_compressed: whether the images are CompressedImage messages.
    """

    def __init__(self, path: Path, topics: Mapping[Channel, str]) -> None:
        """Look into the bag.

        Args:
            path: the folder or the file.
            topics: names for channels whose topic is not found by itself.

        Raises:
            BagError: it cannot be read, is empty, or lacks a stereo topic.
        """
        self._path = path
        with self._opened() as reader:
            types = {connection.topic: connection.msgtype for connection in reader.connections}
            if not reader.message_count:
                raise BagError(f"{path}: the bag holds no messages: record it again")
            self.topics = {
                channel: topics.get(channel) or _find(channel, types, path) for channel in Channel
            }
            for channel, topic in self.topics.items():
                self._check(channel, topic, types)
            self.description = (
                f"{path.name}: {reader.message_count} messages over {reader.duration / 1e9:.1f} s, "
                + ", ".join(self.topics.values())
            )
        self.is_compressed = types[self.topics[Channel.LEFT_IMAGE]] == COMPRESSED
        if self.is_compressed != (types[self.topics[Channel.RIGHT_IMAGE]] == COMPRESSED):
            raise BagError(f"{path}: one camera is compressed and the other is not: {self.topics}")

    def messages(self) -> Iterator[DriveMessage]:
        """All messages in the order of recording.

        Raises:
            BagError: the bag is damaged; what came before is good.
        """
        channels = {topic: channel for channel, topic in self.topics.items()}
        count = 0
        try:
            with self._opened() as reader:
                wanted = [found for found in reader.connections if found.topic in channels]
                for connection, _, recorded in reader.messages(wanted):
                    data = recorded
                    if not reader.is2:
                        data = ROS2_TYPES.ros1_to_cdr(recorded, connection.msgtype)
                    data = bytes(data)
                    yield DriveMessage(channels[connection.topic], header_stamp_ns(data), data)
                    count += 1
        except BagError as error:
            raise BagError(f"{error} (after {count} good messages)") from error

    def _check(self, channel: Channel, topic: str, types: Mapping[str, str]) -> None:
        expected = (RAW, COMPRESSED) if channel.is_image else (INFO,)
        if types.get(topic) not in expected:
            raise BagError(
                f"{self._path}: expected {topic} for {channel.value} as {' or '.join(expected)}, "
                "found "
                f"{types.get(topic, 'no such topic')}; the bag has "
                f"{', '.join(sorted(types)) or 'no topics'}"
            )

    @contextmanager
    def _opened(self) -> Iterator[AnyReader]:
        with ExitStack() as stack:
            stack.enter_context(_readable(self._path))
            files = [self._path]
            if self._path.is_dir() and not (self._path / "metadata.yaml").is_file():
                files = _data_files(self._path)
            # Bags before ROS 2 Iron do not hold the definitions of their messages.
            reader = AnyReader(files, default_typestore=ROS2_TYPES)
            yield stack.enter_context(reader)


def _data_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in BAG_SUFFIXES)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever the readers raise on damaged files into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise BagError(f"{path}: not found ({error}): check the path") from error
    except (
        Rosbag1Error,
        Rosbag2Error,
        AnyReaderError,
        SerdeError,
        apsw.Error,
        EOFError,
        OSError,
    ) as error:
        advice = (
            "`mcap recover`"
            if path.suffix == ".mcap" or list(path.glob("*.mcap"))
            else "`ros2 bag reindex`"
        )
        raise BagError(
            f"{path}: the bag is damaged or was not closed ({error}): try {advice}, or record it "
            "again"
        ) from error


def _find(channel: Channel, types: Mapping[str, str], path: Path) -> str:
    side, _, _ = channel.value.partition("/")
    expected = (RAW, COMPRESSED) if channel.is_image else (INFO,)
    candidates = [
        topic
        for topic, message_type in types.items()
        if message_type in expected and SIDE_WORDS[side] & set(re.split(r"[/_]", topic))
    ]
    if not candidates:
        raise BagError(
            f"{path}: no topic of type {' or '.join(expected)} looks like the {side} camera's; "
            "the bag has "
            f"{', '.join(sorted(types)) or 'no topics'}. Name it with "
            f"{side}_{'image' if channel.is_image else 'info'}_topic"
        )
    return min(candidates, key=_rank)


def _rank(topic: str) -> tuple[int, bool, str]:
    """Smaller is better: the known names first, raw before compressed."""
    base = topic.removesuffix("/compressed")
    leaf = base.rpartition("/")[2]
    place = IMAGE_NAMES.index(leaf) if leaf in IMAGE_NAMES else len(IMAGE_NAMES)
    return place, base != topic, topic
