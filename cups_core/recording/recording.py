"""A recorded drive, whatever the format of its bags: topics, messages, damages.

`cups inspect`, `cups extract` and the drive player read drives through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from cups_core.errors import InputError, RecordingError
from cups_core.recording.bag_folder import COMPRESSED_SUFFIX, BagFile, bag_files, file_format
from cups_core.recording.compressed_file import CompressedFile
from cups_core.recording.compression import ZSTD_MAGIC, UnpackError, unpack
from cups_core.recording.data_file import DataFile
from cups_core.recording.mcap_file import McapFile
from cups_core.recording.message_types import MessageTypes
from cups_core.recording.messages import (
    Damage,
    Definition,
    RecordedMessage,
    Serialization,
    SourceFile,
    Tell,
    Topic,
    Wanted,
)
from cups_core.recording.rosbag1_file import Rosbag1File
from cups_core.recording.sqlite_file import SqliteFile
from cups_core.recording.time_order import Part, merged
from cups_core.stereo_pairing import JUMP_BACK_NS

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


class Recording:
    """One drive: a bag, a split bag or several bags, in the order of recording.

    Attributes:
        topics: by name.
        damages: what cannot be read; it grows while the messages are read.
        sources: the files.
        start_ns: when the first message was recorded, None without messages.
        end_ns: when the last message was recorded, None without messages.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Look into the bags.

        Args:
            paths: files and folders.

        Raises:
            RecordingError: nothing can be read.
        """
        self.damages: list[Damage] = []
        self._files: list[tuple[Path, DataFile]] = []
        found = [file for path in paths for file in bag_files(path, self._tell)]
        self.sources = tuple(SourceFile(file.path, file.path.stat().st_size) for file in found)
        try:
            self._open_all(found)
        except BaseException:
            self.close()
            raise
        self.topics: Mapping[str, Topic] = _joined(
            topic for _, file in self._files for topic in file.topics
        )
        definitions: dict[str, Definition] = {}
        for _, file in self._files:
            definitions.update(file.definitions)
        self._types = MessageTypes(definitions)
        parts = list(chain.from_iterable(self._stretches(Wanted(()))))
        self.start_ns = min((part.start_ns for part in parts), default=None)
        self.end_ns = max((part.end_ns for part in parts), default=None)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        for _, file in self._files:
            file.close()
        self._files = []

    def messages(
        self,
        topics: Collection[str],
        *,
        start_ns: int = Wanted.start_ns,
        end_ns: int = Wanted.end_ns,
        beginnings: bool = False,
    ) -> Iterator[RecordedMessage]:
        """The messages of some topics in the order of recording.

        What is damaged is left out and told in `damages`.

        Args:
            topics: names.
            start_ns: leave out what was recorded earlier.
            end_ns: leave out what was recorded later.
            beginnings: whether the first 256 bytes of a message are enough: much faster for
                pictures where the file allows it, but checksums are not verified.

        Raises:
            InputError: there is no such topic.
        """
        if unknown := sorted(set(topics) - self.topics.keys()):
            raise InputError(
                f"no topic {', '.join(unknown)}; the recording has "
                f"{', '.join(sorted(self.topics)) or 'none'}"
            )
        wanted = Wanted(topics, start_ns, end_ns, beginnings)
        found = chain.from_iterable(map(merged, self._stretches(wanted)))
        if (start_ns, end_ns) == (Wanted.start_ns, Wanted.end_ns):
            return found
        return (message for message in found if start_ns <= message.recorded_ns <= end_ns)

    def decoded(self, message: RecordedMessage) -> Any:
        """The message as an object with the field names of ROS 2; `data` is a view, not a copy.

        Raises:
            InputError: the bytes are not a message of the type, or nothing is known of the type.
        """
        return self._types.decoded(message)

    def cdr(self, message: RecordedMessage) -> bytes | memoryview:
        """The message as ROS 2 sends it.

        Raises:
            InputError: the bytes are not a message of the type, or nothing is known of the type.
        """
        return self._types.cdr(message)

    def stamp_ns(self, message: RecordedMessage) -> int:
        """Stamp of the header, nanoseconds, without decoding.

        Raises:
            InputError: the message holds none that can be read.
        """
        return message.stamp_ns

    def _open_all(self, found: Sequence[BagFile]) -> None:
        troubles: list[str] = []
        for file in found:
            try:
                self._files.append((file.path, _opened(file, self._tell)))
            except (RecordingError, OSError) as error:
                troubles.append(str(error))
                what = str(error).removeprefix(f"{file.path}: ")
                self._tell(Damage(file.path, what, file.expected_count, "the other files are used"))
        if not self._files:
            raise RecordingError("; ".join(troubles))

    def _stretches(self, wanted: Wanted) -> Iterator[list[Part]]:
        """The files in groups, within each of which they are to be merged by time.

        Two files that hold the same topic and overlap in time come from a clock that was set back
        between them: they are read one after the other.
        """
        stretch: list[tuple[Part, set[str]]] = []
        for path, file in self._files:
            if file.start_ns is None or file.end_ns is None:
                continue
            if not wanted.overlaps(file.start_ns, file.end_ns):
                continue
            read = partial(self._messages, path, file, wanted)
            part = Part(file.start_ns, file.end_ns, read)
            held = {topic.name for topic in file.topics if topic.count != 0}
            if any(held & other and _overlap(part, before) for before, other in stretch):
                yield [before for before, _ in stretch]
                stretch = []
            stretch.append((part, held))
        yield [part for part, _ in stretch]

    def _messages(self, path: Path, file: DataFile, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The messages of a file, unpacked where each was compressed by itself."""
        lost = 0
        try:
            for message in file.messages(wanted):
                # No message of ROS begins like this.
                if message.raw[:4] == ZSTD_MAGIC:
                    if wanted.beginnings:
                        # Of a packed message the beginning is of no use; one is packed as all are.
                        whole = replace(wanted, beginnings=False)
                        yield from self._messages(path, file, whole)
                        return
                    try:
                        message = message._replace(raw=unpack(message.raw, "zstd"))
                    except UnpackError:
                        lost += 1
                        continue
                yield message
        finally:
            if lost:
                advice = "they are left out; copy the file again from where it was recorded"
                self._tell(Damage(path, "messages that do not unpack", lost, advice))

    def _tell(self, damage: Damage) -> None:
        if damage not in self.damages:
            self.damages.append(damage)


def open_recording(paths: Sequence[Path]) -> Recording:
    """The drive that bags, folders or files make up.

    Raises:
        RecordingError: nothing can be read of it.
    """
    return Recording(paths)


def _opened(file: BagFile, tell: Tell) -> DataFile:
    suffix = file_format(file.path)
    if suffix == COMPRESSED_SUFFIX:
        return CompressedFile(
            file.path, tell, lambda path, tell: _opened(BagFile(path, file.expected_count), tell)
        )
    if suffix == ".mcap":
        return McapFile(file.path, tell, file.expected_count)
    if suffix == ".db3":
        return SqliteFile(file.path, tell, file.expected_count)
    return Rosbag1File(file.path, tell)


def _joined(topics: Iterable[Topic]) -> dict[str, Topic]:
    """The topics of all files by name, their counts added."""
    found: dict[str, Topic] = {}
    for topic in topics:
        if other := found.get(topic.name):
            unknown = topic.count is None or other.count is None
            count = None if unknown else (topic.count or 0) + (other.count or 0)
            topic = replace(other, count=count)
        found[topic.name] = topic
    return found


def _overlap(a: Part, b: Part) -> bool:
    return min(a.end_ns, b.end_ns) - max(a.start_ns, b.start_ns) > JUMP_BACK_NS
