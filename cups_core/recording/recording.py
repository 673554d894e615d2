"""A recorded drive, whatever the format of its bags: topics, messages, damages.

`cups inspect`, `cups extract` and the drive player read drives through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from cups_core.errors import InputError, RecordingError
from cups_core.recording.messages import (
    Damage,
    RecordedMessage,
    Serialization,
    SourceFile,
    Topic,
)

__all__ = [
    "Damage",
    "RecordedMessage",
    "Recording",
    "RecordingError",
    "Serialization",
    "SourceFile",
    "Topic",
    "open_recording",
]

DATA_SUFFIXES = (".mcap", ".db3", ".bag")


class Recording:
    """One drive: a bag, a split bag or several bags, in the order of recording.

    Attributes:
        topics: by name.
        damages: what could not be read; it fills while the messages are read.
        sources: the files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._stack = ExitStack()
        self._store = get_typestore(Stores.ROS2_KILTED)
        self.damages: list[Damage] = []
        files = [file for path in paths for file in _data_files(path)]
        if not files:
            raise RecordingError(f"{', '.join(map(str, paths))}: found no bag: check the path")
        self.sources = tuple(SourceFile(file, file.stat().st_size) for file in files)
        readers = [
            self._stack.enter_context(AnyReader([path], default_typestore=self._store))
            for path in paths
        ]
        self._readers = readers
        found: dict[str, Topic] = {}
        for reader in readers:
            for connection in reader.connections:
                name = connection.topic
                count = connection.msgcount + ((found[name].count or 0) if name in found else 0)
                found[name] = Topic(name, connection.msgtype, count)
        self.topics: Mapping[str, Topic] = found

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self._stack.close()

    def messages(self, topics: Collection[str]) -> Iterator[RecordedMessage]:
        """The messages of some topics in the order of recording.

        What is damaged is left out and told in `damages`.

        Raises:
            InputError: there is no such topic.
        """
        if unknown := sorted(set(topics) - self.topics.keys()):
            raise InputError(
                f"no topic {', '.join(unknown)}; the recording has {', '.join(self.topics)}"
            )
        for reader in self._readers:
            wanted = [item for item in reader.connections if item.topic in topics]
            if not wanted:
                continue
            kind = Serialization.CDR if reader.is2 else Serialization.ROS1
            for connection, recorded_ns, raw in reader.messages(wanted):
                yield RecordedMessage(connection.topic, connection.msgtype, recorded_ns, raw, kind)

    def decoded(self, message: RecordedMessage) -> Any:
        """The message as an object with the field names of ROS 2; `data` is a view, not a copy."""
        return self._store.deserialize_cdr(self.cdr(message), message.type_name)

    def cdr(self, message: RecordedMessage) -> bytes | memoryview:
        """The message as ROS 2 sends it."""
        if message.serialization is Serialization.ROS1:
            converted: memoryview = self._store.ros1_to_cdr(message.raw, message.type_name)
            return converted
        return message.raw

    def stamp_ns(self, message: RecordedMessage) -> int:
        """Stamp of the header, nanoseconds, without decoding."""
        return message.stamp_ns


def open_recording(paths: Sequence[Path]) -> Recording:
    """The drive that bags, folders or files make up.

    Raises:
        RecordingError: nothing can be read of it.
    """
    return Recording(paths)


def _data_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if file.suffix in DATA_SUFFIXES)
