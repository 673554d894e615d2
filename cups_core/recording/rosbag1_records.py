"""The records of a bag of ROS 1 as format 2.0 lays them out; `rosbag1_file` reads bags with it.

Source: the ROS wiki, "Bags/Format/2.0".
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from cups_core.frames import NANOSECONDS_PER_SECOND

MAGIC = b"#ROSBAG V2.0\n"
SIZE = struct.Struct("<I")
TIME = struct.Struct("<II")
INDEX_ENTRY = struct.Struct("<III")
# No header of a record comes near it: a larger one is damage.
MOST_HEADER_BYTES = 1 << 20


class Op(enum.IntEnum):
    """The kinds of records."""

    MESSAGE = 2
    BAG_HEADER = 3
    INDEX = 4
    CHUNK = 5
    CHUNK_INFO = 6
    CONNECTION = 7


class RecordError(Exception):
    """The bytes are not a record."""


class Record(NamedTuple):
    """A record without its content.

    Attributes:
        op: its kind.
        fields: of its header.
        start: where its content begins.
        end: where the next record begins.
    """

    op: int
    fields: Mapping[bytes, bytes]
    start: int
    end: int


def record_at(file: BinaryIO, position: int) -> Record:
    """The record that begins there, whose content may reach beyond the end of the file.

    Raises:
        RecordError: the file is cut or overwritten there.
    """
    file.seek(position)
    (header_size,) = _size(file.read(SIZE.size))
    if header_size > MOST_HEADER_BYTES:
        raise RecordError(f"a header of {header_size} bytes at {position}")
    header = file.read(header_size)
    (size,) = _size(file.read(SIZE.size))
    start = position + 2 * SIZE.size + header_size
    found = fields(memoryview(header))
    return Record(_op(found), found, start, start + size)


def records(data: memoryview) -> Iterator[Record]:
    """The records in the content of a chunk.

    Raises:
        RecordError: one does not fit into the data.
    """
    position = 0
    while position < len(data):
        (header_size,) = _size(data[position : position + SIZE.size])
        header_end = position + SIZE.size + header_size
        (size,) = _size(data[header_end : header_end + SIZE.size])
        start = header_end + SIZE.size
        position = start + size
        if position > len(data):
            raise RecordError("the last record is cut")
        found = fields(data[start - SIZE.size - header_size : header_end])
        yield Record(_op(found), found, start, position)


def fields(header: memoryview) -> dict[bytes, bytes]:
    """The named fields of a header.

    Raises:
        RecordError: they do not fit into it.
    """
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(header):
        (size,) = _size(header[position : position + SIZE.size])
        end = position + SIZE.size + size
        name, equals, value = bytes(header[position + SIZE.size : end]).partition(b"=")
        if end > len(header) or not equals:
            raise RecordError("the fields of a header do not fit into it")
        found[name] = value
        position = end
    return found


def number(record: Record, name: bytes) -> int:
    """A 32-bit field.

    Raises:
        RecordError: the record lacks it.
    """
    return int(_size(record.fields.get(name, b""))[0])


def time_ns(record: Record) -> int:
    """When a message was recorded.

    Raises:
        RecordError: the record lacks it.
    """
    value = record.fields.get(b"time", b"")
    if len(value) != TIME.size:
        raise RecordError("a message without a time")
    seconds, nanoseconds = TIME.unpack(value)
    return int(seconds) * NANOSECONDS_PER_SECOND + int(nanoseconds)


def index_times(content: bytes) -> tuple[int, int] | None:
    """When the first and the last message of an index were recorded."""
    whole = len(content) // INDEX_ENTRY.size * INDEX_ENTRY.size
    times = [
        seconds * NANOSECONDS_PER_SECOND + nanoseconds
        for seconds, nanoseconds, _ in INDEX_ENTRY.iter_unpack(content[:whole])
    ]
    return (min(times), max(times)) if times else None


def _op(found: Mapping[bytes, bytes]) -> int:
    value = found.get(b"op", b"")
    if len(value) != 1 or value[0] not in Op._value2member_map_:
        raise RecordError("a header that says no known kind of record")
    return value[0]


def _size(data: bytes | memoryview) -> tuple[int]:
    if len(data) != SIZE.size:
        raise RecordError("a size is cut")
    (size,) = SIZE.unpack(data)
    return (int(size),)
