"""Reads a bag of ROS 1 chunk by chunk, also one that was not closed (`.bag.active`) or is cut.

`recording` opens it. The index at the end of the file is not needed: the chunks are walked, each
has its own index behind it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cups_core.recording.compression import UnpackError, unpack
from cups_core.recording.data_file import LARGE_MESSAGE, kept
from cups_core.recording.mcap_records import ros2_type_name
from cups_core.recording.messages import (
    BEGINNING,
    Damage,
    Definition,
    RecordedMessage,
    Serialization,
    Tell,
    Topic,
    Wanted,
)
from cups_core.recording.rosbag1_records import (
    MAGIC,
    Op,
    Record,
    RecordError,
    fields,
    index_times,
    number,
    record_at,
    records,
    time_ns,
)
from cups_core.recording.time_order import Part, chunks_in_order

SEARCH_BYTES = 1 << 24
# The header of a chunk in the order in which every known recorder writes it, and in its others.
CHUNK_PATTERN = re.compile(
    rb"(?=.{4}(?:.{4}(?:op=\x05|compression=(?:none|bz2|lz4)|size=.{4})){3})", re.DOTALL
)


class Connection(NamedTuple):
    """A topic, or one of several publishers of it."""

    topic: str
    type_name: str
    definition: Definition


class Chunk(NamedTuple):
    """Where messages lie together.

    Attributes:
        offset: of the record.
        start: of the packed content.
        size: of the packed content, bytes.
        compression: as `compression.unpack` names it.
        start_ns: when its first message was recorded.
        end_ns: when its last message was recorded.
        counts: messages by connection.
        is_cut: whether the file ends in it, which was told already.
    """

    offset: int
    start: int
    size: int
    compression: str
    start_ns: int
    end_ns: int
    counts: Mapping[int, int]
    is_cut: bool = False


class Rosbag1File:
    """A bag of ROS 1 that is open for reading; see `data_file.DataFile`."""

    def __init__(self, path: Path, tell: Tell) -> None:
        """Walk through the file.

        Args:
            path: the file.
            tell: is called with each damage.
        """
        self._path = path
        self._tell = tell
        self._file = path.open("rb")
        self._connections: dict[int, Connection] = {}
        self._chunks: list[Chunk] = []
        self._walk()

    @property
    def topics(self) -> list[Topic]:
        """What it holds."""
        counts: Counter[int] = Counter()
        for chunk in self._chunks:
            counts.update(chunk.counts)
        by_name: dict[str, Topic] = {}
        for key, item in self._connections.items():
            count = counts[key]
            if other := by_name.get(item.topic):
                count += other.count or 0
            by_name[item.topic] = Topic(item.topic, item.type_name, count)
        return list(by_name.values())

    @property
    def definitions(self) -> dict[str, Definition]:
        """The types that it defines."""
        return {item.type_name: item.definition for item in self._connections.values()}

    @property
    def start_ns(self) -> int | None:
        """When its first message was recorded."""
        return min((chunk.start_ns for chunk in self._chunks), default=None)

    @property
    def end_ns(self) -> int | None:
        """When its last message was recorded."""
        return max((chunk.end_ns for chunk in self._chunks), default=None)

    def messages(self, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The wanted messages in the order of recording."""
        connections = {
            key: item for key, item in self._connections.items() if item.topic in wanted.topics
        }
        read = self._beginnings if wanted.beginnings else self._messages
        return chunks_in_order(
            [
                Part(chunk.start_ns, chunk.end_ns, partial(read, chunk, connections))
                for chunk in self._chunks
                if wanted.overlaps(chunk.start_ns, chunk.end_ns)
                and not connections.keys().isdisjoint(chunk.counts)
            ]
        )

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _messages(self, chunk: Chunk, wanted: Mapping[int, Connection]) -> list[RecordedMessage]:
        """The messages of a chunk, as far as they can be read."""
        found: list[RecordedMessage] = []
        read = 0
        content, trouble = self._content(chunk)
        try:
            for record in records(content):
                if record.op == Op.MESSAGE:
                    connection = number(record, b"conn")
                    item = wanted.get(connection)
                    recorded_ns = time_ns(record)
                    read += connection in self._connections
                    if item is not None:
                        raw = kept(content[record.start : record.end])
                        found.append(
                            RecordedMessage(
                                item.topic, item.type_name, recorded_ns, raw, Serialization.ROS1
                            )
                        )
        except RecordError as error:
            trouble = trouble or str(error)
        lost = max(0, sum(chunk.counts.values()) - read)
        if lost and not trouble:
            trouble = "it does not hold what its index says"
        if trouble and not chunk.is_cut:
            self._tell(
                Damage(
                    self._path,
                    f"the chunk at byte {chunk.offset} is damaged: {trouble}",
                    lost,
                    "the frames in it are left out; copy the file again from where it was recorded",
                )
            )
        return found

    def _beginnings(self, chunk: Chunk, wanted: Mapping[int, Connection]) -> list[RecordedMessage]:
        """The beginnings of the messages of a chunk, one by one where that reads less."""
        is_plain = chunk.compression == "none" and not chunk.is_cut
        if not is_plain or chunk.size < LARGE_MESSAGE * sum(chunk.counts.values()):
            return self._messages(chunk, wanted)
        found: list[RecordedMessage] = []
        position, end = chunk.start, chunk.start + chunk.size
        while position < end:
            try:
                record = record_at(self._file, position)
                recorded_ns = time_ns(record) if record.op == Op.MESSAGE else 0
            except RecordError:
                # Reading the whole chunk tells what is wrong.
                return self._messages(chunk, wanted)
            if record.op == Op.MESSAGE and (item := wanted.get(number(record, b"conn"))):
                raw = self._file.read(min(BEGINNING, record.end - record.start))
                found.append(
                    RecordedMessage(
                        item.topic, item.type_name, recorded_ns, raw, Serialization.ROS1
                    )
                )
            position = record.end
        return found

    def _content(self, chunk: Chunk) -> tuple[memoryview, str]:
        """What the chunk holds, and what is wrong with it."""
        self._file.seek(chunk.start)
        try:
            return memoryview(unpack(self._file.read(chunk.size), chunk.compression)), ""
        except UnpackError as error:
            return memoryview(error.readable), str(error)

    def _walk(self) -> None:
        size = self._file.seek(0, 2)
        position = len(MAGIC)
        troubles: list[str] = []
        # What the header promises of the index at the end, and what of it was met.
        index_position = promised = met = 0
        while position < size:
            try:
                record = record_at(self._file, position)
                if record.op == Op.BAG_HEADER:
                    promised = number(record, b"chunk_count")
                    index_position = int.from_bytes(record.fields.get(b"index_pos", b""), "little")
                met += record.op == Op.CHUNK_INFO
                if record.end > size:
                    if record.op == Op.CHUNK:
                        self._take_chunk(record, position, size)
                    raise RecordError("the last record is cut")
                self._take(record, position, size)
                position = record.end
            except RecordError as error:
                following = self._next_chunk(position + 1)
                if following is None:
                    troubles.append(f"the last {size - position} bytes cannot be read ({error})")
                    break
                troubles.append(f"{following - position} bytes at {position} are damaged")
                position = following
        self._complete()
        if not index_position:
            troubles.insert(0, "the recorder did not close it, it has no index")
        elif met < promised:
            troubles.insert(0, "its index is cut")
        if troubles:
            total = sum(sum(chunk.counts.values()) for chunk in self._chunks)
            self._tell(
                Damage(
                    self._path,
                    f"{'; '.join(troubles)}; {total} messages were found in it",
                    None,
                    "what was found is used; `rosbag reindex` makes a whole bag of it",
                )
            )

    def _take(self, record: Record, position: int, size: int) -> None:
        if record.op == Op.CHUNK:
            self._take_chunk(record, position, size)
        elif record.op == Op.CONNECTION:
            self._file.seek(record.start)
            self._take_connection(record, self._file.read(record.end - record.start))
        elif record.op == Op.INDEX and self._chunks:
            self._file.seek(record.start)
            times = index_times(self._file.read(record.end - record.start))
            if times is not None:
                last = self._chunks[-1]
                self._chunks[-1] = last._replace(
                    start_ns=min(times[0], last.start_ns) if last.counts else times[0],
                    end_ns=max(times[1], last.end_ns),
                    counts={**last.counts, number(record, b"conn"): number(record, b"count")},
                )

    def _take_chunk(self, record: Record, position: int, size: int) -> None:
        compression = record.fields.get(b"compression", b"none").decode(errors="replace")
        length = min(record.end, size) - record.start
        is_cut = record.end > size
        self._chunks.append(
            Chunk(position, record.start, length, compression, 0, 0, {}, is_cut=is_cut)
        )

    def _take_connection(self, record: Record, content: bytes) -> None:
        described = fields(memoryview(content))
        topic = re.sub(r"/+", "/", record.fields.get(b"topic", b"").decode(errors="replace"))
        name = described.get(b"type", b"").decode(errors="replace")
        text = described.get(b"message_definition", b"").decode(errors="replace")
        self._connections[number(record, b"conn")] = Connection(
            topic, ros2_type_name(name), Definition(text, is_idl=False)
        )

    def _complete(self) -> None:
        """Look into chunks without an index, and for connections that the end should define."""
        for place, chunk in enumerate(self._chunks):
            if chunk.counts and chunk.counts.keys() <= self._connections.keys():
                continue
            counts: Counter[int] = Counter()
            times: list[int] = []
            content, _ = self._content(chunk)
            try:
                for record in records(content):
                    if record.op == Op.CONNECTION:
                        self._take_connection(record, bytes(content[record.start : record.end]))
                    elif record.op == Op.MESSAGE:
                        times.append(time_ns(record))
                        counts[number(record, b"conn")] += 1
            except RecordError:
                # Reading the messages finds it again and tells it.
                pass
            if times:
                self._chunks[place] = chunk._replace(
                    start_ns=min(times), end_ns=max(times), counts=chunk.counts or counts
                )
        self._chunks = [chunk for chunk in self._chunks if chunk.counts]

    def _next_chunk(self, position: int) -> int | None:
        """Where the next chunk's record begins."""
        size = self._file.seek(0, 2)
        while position < size:
            self._file.seek(position)
            block = self._file.read(SEARCH_BYTES)
            for match in CHUNK_PATTERN.finditer(block):
                try:
                    record = record_at(self._file, position + match.start())
                except RecordError:
                    continue
                if record.op == Op.CHUNK and record.end <= size:
                    return position + match.start()
            position += max(1, len(block) - 128)
        return None
