"""The records of an MCAP file as its specification lays them out; `mcap_file` reads files with it.

Source: the MCAP format specification, version 0.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from cups_core.recording.compression import UnpackError, unpack
from cups_core.recording.data_file import offered_reliability
from cups_core.recording.messages import Definition, Serialization

MAGIC = b"\x89MCAP0\r\n"
HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQI")
FOOTER = struct.Struct("<BQQQI")
INDEX_HEAD = struct.Struct("<HI")
INDEX_ENTRY = 16
# Enough of a chunk's record to know everything but its content.
CHUNK_BEGINNING = 128


class Op(enum.IntEnum):
    """The kinds of records."""

    HEADER = 0x01
    FOOTER = 0x02
    SCHEMA = 0x03
    CHANNEL = 0x04
    MESSAGE = 0x05
    CHUNK = 0x06
    MESSAGE_INDEX = 0x07
    CHUNK_INDEX = 0x08
    ATTACHMENT = 0x09
    STATISTICS = 0x0B
    SUMMARY_OFFSET = 0x0E
    DATA_END = 0x0F


KNOWN_OPS = range(Op.HEADER, Op.DATA_END + 1)
PRIVATE_OPS = range(0x80, 0x100)


class Schema(NamedTuple):
    """A message type."""

    name: str
    definition: Definition | None


class Channel(NamedTuple):
    """A topic, or one of several publishers of it."""

    topic: str
    type_name: str
    serialization: Serialization
    reliability: str | None


class Chunk(NamedTuple):
    """Where messages lie together.

    Attributes:
        offset: of the record; neighbouring messages outside of chunks count as a chunk too.
        length: of the record with its head, bytes.
        start_ns: when its first message was recorded.
        end_ns: when its last message was recorded.
        counts: messages by channel; None where the file does not say.
        is_bare: whether the messages stand outside of a chunk.
        is_cut: whether the file ends in it, which was told already.
    """

    offset: int
    length: int
    start_ns: int
    end_ns: int
    counts: Mapping[int, int] | None
    is_bare: bool = False
    is_cut: bool = False


class RecordError(Exception):
    """The bytes are not the record that they claim to be.

    Attributes:
        readable: the records that stand before the damage.
    """

    def __init__(self, what: str, readable: bytes | memoryview = b"") -> None:
        super().__init__(what)
        self.readable = memoryview(readable)


def records(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each record's content.

    Raises:
        RecordError: a record does not fit into the data.
    """
    position, size = 0, len(data)
    while position < size:
        if size - position < HEAD.size:
            raise RecordError("the last record is cut")
        op, length = HEAD.unpack_from(data, position)
        start = position + HEAD.size
        position = start + length
        if position > size or (op not in KNOWN_OPS and op not in PRIVATE_OPS):
            raise RecordError(f"a record of kind {op} with {length} bytes does not fit")
        yield op, start, position


def schema(content: memoryview) -> tuple[int, Schema]:
    """A schema with its number."""
    number = _unpack(struct.Struct("<H"), content)[0]
    name, position = _text(content, 2)
    encoding, position = _text(content, position)
    text, _ = _text(content, position)
    known = encoding in ("ros1msg", "ros2msg", "ros2idl", "omgidl")
    definition = Definition(text, encoding.endswith("idl")) if known and text else None
    return number, Schema(ros2_type_name(name), definition)


def channel(content: memoryview, schemas: Mapping[int, Schema]) -> tuple[int, Channel]:
    """A channel with its number."""
    number, schema_number = _unpack(struct.Struct("<HH"), content)
    topic, position = _text(content, 4)
    encoding, position = _text(content, position)
    type_name = schemas[schema_number].name if schema_number in schemas else "unknown"
    try:
        serialization = Serialization(encoding)
    except ValueError:
        serialization = Serialization.OTHER
    # A map of words to words; the only value of interest has an unmistakable form.
    reliability = offered_reliability(bytes(content[position:]).decode(errors="replace"))
    return number, Channel(topic, type_name, serialization, reliability)


def chunk_times(content: memoryview) -> tuple[int, int]:
    """When the first and the last message of a chunk were recorded, from its beginning."""
    start_ns, end_ns, _, _ = _unpack(CHUNK_HEAD, content)
    return start_ns, end_ns


def chunk_content(content: memoryview) -> memoryview:
    """The records in a chunk.

    Raises:
        RecordError: they do not fit their checksum, or do not unpack; `readable` has those before
            the damage.
    """
    _, _, unpacked_size, checksum = _unpack(CHUNK_HEAD, content)
    compression, position = _text(content, CHUNK_HEAD.size)
    (size,) = struct.unpack("<Q", _part(content, position, 8))
    packed = content[position + 8 : position + 8 + size]
    try:
        unpacked = memoryview(unpack(packed, compression))
    except UnpackError as error:
        raise RecordError(str(error), error.readable) from error
    if len(unpacked) != unpacked_size:
        raise RecordError(f"the chunk holds {len(unpacked)} of {unpacked_size} bytes", unpacked)
    if checksum and crc32(unpacked) != checksum:
        raise RecordError("the checksum does not fit the data")
    return unpacked


def plain_content(beginning: bytes) -> int | None:
    """Where the content of a chunk begins in its record, None where it is packed or damaged."""
    content = memoryview(beginning)[HEAD.size :]
    try:
        compression, position = _text(content, CHUNK_HEAD.size)
    except RecordError:
        return None
    return HEAD.size + position + 8 if beginning[0] == Op.CHUNK and not compression else None


def message_index(content: memoryview) -> tuple[int, int]:
    """Channel and number of messages, from the beginning of the record's content."""
    number, size = _unpack(INDEX_HEAD, content)
    return number, size // INDEX_ENTRY


def indexed_chunk(content: memoryview) -> Chunk:
    """A chunk as the summary lists it."""
    start_ns, end_ns, offset, length, map_size = _unpack(struct.Struct("<QQQQI"), content)
    entries = sorted(
        (place, number) for number, place in struct.iter_unpack("<HQ", _part(content, 36, map_size))
    )
    (index_length,) = struct.unpack("<Q", _part(content, 36 + map_size, 8))
    # The indexes lie one behind the other, behind the chunk.
    places = [place for place, _ in entries] + [offset + length + index_length]
    frame = HEAD.size + INDEX_HEAD.size
    counts = {
        number: (end - place - frame) // INDEX_ENTRY
        for (_, number), (place, end) in zip(entries, pairwise(places), strict=True)
    }
    return Chunk(offset, length, start_ns, end_ns, counts)


def channel_counts(content: memoryview) -> tuple[int, dict[int, int]]:
    """Number of all messages and of each channel's, from the statistics."""
    (total,) = struct.unpack("<Q", _part(content, 0, 8))
    (size,) = struct.unpack("<I", _part(content, 42, 4))
    return total, dict(struct.iter_unpack("<HQ", _part(content, 46, size)))


CHUNK_PATTERN = re.compile(
    rb"\x06.{5}\x00{3}.{24}.{4}(?:\x00{4}|\x04\x00{3}zstd|\x03\x00{3}lz4).{5}\x00{3}", re.DOTALL
)
"""What a chunk's record looks like, to find the next one behind damaged bytes."""


def ros2_type_name(name: str) -> str:
    """`sensor_msgs/Image` as ROS 2 writes it."""
    package, slash, last = name.partition("/")
    return f"{package}/msg/{last}" if slash and "/" not in last else name


def _text(content: memoryview, position: int) -> tuple[str, int]:
    (size,) = struct.unpack("<I", _part(content, position, 4))
    end = position + 4 + size
    return bytes(_part(content, position + 4, size)).decode(errors="replace"), end


def _unpack(layout: struct.Struct, content: memoryview) -> tuple[int, ...]:
    return layout.unpack(_part(content, 0, layout.size))


def _part(content: memoryview, position: int, size: int) -> memoryview:
    part = content[position : position + size]
    if len(part) != size:
        raise RecordError(f"expected {size} bytes at {position}, found {len(part)}")
    return part
