"""Reads an MCAP file chunk by chunk, with or without its index, whole or damaged.

`recording` opens it. Checksums are verified wherever the writer made some; a damaged chunk is told
and left out.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from zlib import crc32

from cups_core.recording.data_file import LARGE_MESSAGE, kept
from cups_core.recording.mcap_records import (
    CHUNK_BEGINNING,
    FOOTER,
    HEAD,
    KNOWN_OPS,
    MAGIC,
    MESSAGE_HEAD,
    Channel,
    Chunk,
    Op,
    RecordError,
    Schema,
    channel,
    channel_counts,
    chunk_content,
    indexed_chunk,
    plain_content,
    records,
    schema,
)
from cups_core.recording.mcap_walk import walk
from cups_core.recording.messages import (
    BEGINNING,
    Damage,
    Definition,
    RecordedMessage,
    Tell,
    Topic,
    Wanted,
)
from cups_core.recording.time_order import Part, chunks_in_order


class McapFile:
    """An MCAP file that is open for reading; see `data_file.DataFile`."""

    def __init__(self, path: Path, tell: Tell, expected_count: int | None = None) -> None:
        """Look at its index, or walk through the file where that is missing.

        Args:
            path: the file.
            tell: is called with each damage.
            expected_count: number of messages according to the bag's metadata.
        """
        self._path = path
        self._tell = tell
        self._file = path.open("rb")
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._chunks: list[Chunk] = []
        self._counts: Mapping[int, int] | None = None
        trouble = self._read_summary()
        if trouble is not None:
            self._walk(trouble, expected_count)
        # A chunk may hold nothing but definitions.
        self._chunks = [item for item in self._chunks if item.counts != {}]

    @property
    def topics(self) -> list[Topic]:
        """What it holds."""
        by_name: dict[str, Topic] = {}
        for number, item in self._channels.items():
            count = None if self._counts is None else self._counts.get(number, 0)
            if (other := by_name.get(item.topic)) and count is not None:
                count += other.count or 0
            by_name[item.topic] = Topic(item.topic, item.type_name, count, item.reliability)
        return list(by_name.values())

    @property
    def definitions(self) -> dict[str, Definition]:
        """The types that it defines."""
        return {item.name: item.definition for item in self._schemas.values() if item.definition}

    @property
    def start_ns(self) -> int | None:
        """When its first message was recorded."""
        return min((item.start_ns for item in self._chunks), default=None)

    @property
    def end_ns(self) -> int | None:
        """When its last message was recorded."""
        return max((item.end_ns for item in self._chunks), default=None)

    def messages(self, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The wanted messages in the order of recording."""
        channels = {
            number: item for number, item in self._channels.items() if item.topic in wanted.topics
        }
        read = self._beginnings if wanted.beginnings else self._messages
        return chunks_in_order(
            [
                Part(item.start_ns, item.end_ns, partial(read, item, channels))
                for item in self._chunks
                if wanted.overlaps(item.start_ns, item.end_ns)
                and (item.counts is None or not channels.keys().isdisjoint(item.counts))
            ]
        )

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _messages(self, chunk: Chunk, wanted: Mapping[int, Channel]) -> list[RecordedMessage]:
        """The messages of a chunk, as far as they can be read."""
        found: list[RecordedMessage] = []
        read = 0
        trouble = None
        try:
            content = self._content(chunk)
        except RecordError as error:
            content, trouble = error.readable, str(error)
        try:
            for op, start, end in records(content):
                if op == Op.MESSAGE:
                    number, _, recorded_ns, _ = MESSAGE_HEAD.unpack_from(content, start)
                    read += number in self._channels
                    if (item := wanted.get(number)) is not None:
                        raw = kept(content[start + MESSAGE_HEAD.size : end])
                        found.append(
                            RecordedMessage(
                                item.topic, item.type_name, recorded_ns, raw, item.serialization
                            )
                        )
        except (RecordError, struct.error) as error:
            trouble = trouble or str(error)
        lost = None if chunk.counts is None else max(0, sum(chunk.counts.values()) - read)
        if lost and trouble is None:
            trouble = "it does not hold what its index says"
        if trouble is not None and not chunk.is_cut:
            self._tell(
                Damage(
                    self._path,
                    f"the chunk at byte {chunk.offset} is damaged: {trouble}",
                    lost,
                    "the frames in it are left out; copy the file again from where it was recorded",
                )
            )
        return found

    def _beginnings(self, chunk: Chunk, wanted: Mapping[int, Channel]) -> list[RecordedMessage]:
        """The beginnings of the messages of a chunk, one by one where that reads less."""
        count = sum((chunk.counts or {}).values())
        if chunk.is_cut or chunk.length < LARGE_MESSAGE * count:
            return self._messages(chunk, wanted)
        self._file.seek(chunk.offset)
        place = 0 if chunk.is_bare else plain_content(self._file.read(CHUNK_BEGINNING))
        if place is None:
            return self._messages(chunk, wanted)
        found: list[RecordedMessage] = []
        end = chunk.offset + chunk.length
        position = chunk.offset + place
        while position < end:
            self._file.seek(position)
            record = self._file.read(HEAD.size + MESSAGE_HEAD.size + BEGINNING)
            op, length = HEAD.unpack_from(record) if len(record) >= HEAD.size else (0, 0)
            following = position + HEAD.size + length
            if op not in KNOWN_OPS or following > end:
                # Something is wrong: the whole chunk is looked at, which tells what.
                return self._messages(chunk, wanted)
            if op == Op.MESSAGE:
                number, _, recorded_ns, _ = MESSAGE_HEAD.unpack_from(record, HEAD.size)
                if (item := wanted.get(number)) is not None:
                    raw = record[HEAD.size + MESSAGE_HEAD.size : HEAD.size + length]
                    found.append(
                        RecordedMessage(
                            item.topic, item.type_name, recorded_ns, raw, item.serialization
                        )
                    )
            position = following
        return found

    def _content(self, chunk: Chunk) -> memoryview:
        self._file.seek(chunk.offset)
        record = memoryview(self._file.read(chunk.length))
        if chunk.is_bare:
            return record
        if len(record) < HEAD.size or record[0] != Op.CHUNK:
            raise RecordError("its head is overwritten")
        return chunk_content(record[HEAD.size :])

    def _read_summary(self) -> str | None:
        """Fill in what the index says; why that did not work, None when it did."""
        size = self._file.seek(0, 2)
        tail = FOOTER.size + len(MAGIC)
        self._file.seek(max(0, size - tail))
        end = self._file.read()
        if len(end) < tail or end[-len(MAGIC) :] != MAGIC:
            return "the file ends before its index: the recorder did not close it, or it was cut"
        op, length, summary_start, _, checksum = FOOTER.unpack_from(end)
        if op != Op.FOOTER or length != FOOTER.size - HEAD.size:
            return "its footer is damaged"
        if not summary_start:
            return ""
        self._file.seek(summary_start)
        summary = memoryview(self._file.read(max(0, size - tail - summary_start)))
        # The checksum covers the footer too, as far as it stands before the checksum.
        if checksum and crc32(end[: FOOTER.size - 4], crc32(summary)) != checksum:
            return "the checksum of its index does not fit"
        try:
            total = self._take_index(summary)
        except (RecordError, struct.error) as error:
            return f"its index is damaged: {error}"
        # Messages outside of chunks are not in the index, nor are those of lazy writers.
        indexed = sum(sum((item.counts or {}).values()) for item in self._chunks)
        if total is None or indexed != total or any(n not in self._channels for n in self._counted):
            return ""
        return None

    @property
    def _counted(self) -> set[int]:
        return {number for item in self._chunks for number in item.counts or {}}

    def _take_index(self, summary: memoryview) -> int | None:
        total = None
        for op, start, end in records(summary):
            content = summary[start:end]
            self._take_definition(op, content)
            if op == Op.CHUNK_INDEX:
                self._chunks.append(indexed_chunk(content))
            elif op == Op.STATISTICS:
                total, self._counts = channel_counts(content)
        self._chunks.sort(key=attrgetter("offset"))
        return total

    def _take_definition(self, op: int, content: memoryview) -> None:
        if op == Op.SCHEMA:
            number, item = schema(content)
            self._schemas[number] = item
        elif op == Op.CHANNEL:
            number, found = channel(content, self._schemas)
            self._channels[number] = found

    def _walk(self, trouble: str, expected_count: int | None) -> None:
        """Find the chunks without an index.

        Args:
            trouble: why there is none; empty for a file that is whole without it.
            expected_count: number of messages according to the bag's metadata.
        """
        found = walk(self._file)
        if not trouble and self._counts is not None:
            expected_count = sum(self._counts.values())
        self._chunks = []
        for op, content in found.definitions:
            self._take_definition(op, memoryview(content))
        counts: Counter[int] = Counter()
        for item in found.chunks:
            known = item.counts and item.counts.keys() <= self._channels.keys()
            # Channels are often defined in the chunk that needs them first.
            indexed = item if known else self._looked_through(item)
            counts.update(indexed.counts or {})
            self._chunks.append(indexed)
        self._counts = counts
        total = sum(counts.values())
        lost = None if expected_count is None else max(0, expected_count - total)
        if lost and not trouble and not found.troubles:
            trouble = "it does not hold what its index says"
        if trouble or found.troubles:
            what = "; ".join(part for part in (trouble, *found.troubles) if part)
            self._tell(
                Damage(
                    self._path,
                    f"{what}; {total} messages were found in it",
                    lost,
                    "what was found is used; `mcap recover` makes a whole file of it",
                )
            )

    def _looked_through(self, chunk: Chunk) -> Chunk:
        """The chunk with its counts and times, found in its content, as its definitions are."""
        counts: Counter[int] = Counter()
        times: list[int] = []
        is_whole = True
        try:
            content = self._content(chunk)
        except RecordError as error:
            content, is_whole = error.readable, False
        try:
            for op, start, end in records(content):
                self._take_definition(op, content[start:end])
                if op == Op.MESSAGE:
                    number, _, recorded_ns, _ = MESSAGE_HEAD.unpack_from(content, start)
                    counts[number] += 1
                    times.append(recorded_ns)
        except (RecordError, struct.error):
            # Reading the messages finds it again and tells it.
            is_whole = False
        if times:
            chunk = chunk._replace(start_ns=min(times), end_ns=max(times))
        return chunk._replace(counts=chunk.counts or counts) if is_whole or counts else chunk
