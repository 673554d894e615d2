"""Finds the chunks of an MCAP file that has no index, also behind damaged bytes.

`mcap_file` walks where a recorder did not come to write the index, or where it is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from cups_core.recording.mcap_records import (
    CHUNK_HEAD,
    CHUNK_PATTERN,
    HEAD,
    INDEX_HEAD,
    KNOWN_OPS,
    MAGIC,
    MESSAGE_HEAD,
    PRIVATE_OPS,
    Chunk,
    Op,
    chunk_times,
    message_index,
)

# Messages outside of chunks are gathered to pieces of this size.
MOST_BARE_BYTES = 1 << 20
SEARCH_BYTES = 1 << 24
BEGINNING = HEAD.size + max(CHUNK_HEAD.size, INDEX_HEAD.size, MESSAGE_HEAD.size)


@dataclass
class Walk:
    """What was found on the way.

    Attributes:
        chunks: in the order of the file.
        definitions: schemas and channels outside of chunks: kind and content of each record.
        troubles: what was found damaged.
    """

    chunks: list[Chunk] = field(default_factory=list)
    definitions: list[tuple[int, bytes]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def walk(file: BinaryIO) -> Walk:
    """Go from record to record as far as the file is whole, and on from the next whole chunk."""
    found = Walk()
    size = file.seek(0, 2)
    file.seek(0)
    position = len(MAGIC)
    if file.read(position) != MAGIC:
        found.troubles.append("it does not begin as an MCAP file does")
        position = 0
    while position < size:
        file.seek(position)
        beginning = memoryview(file.read(BEGINNING))
        op, length = HEAD.unpack_from(beginning) if len(beginning) >= HEAD.size else (0, 0)
        end = position + HEAD.size + length
        is_known = op in KNOWN_OPS or op in PRIVATE_OPS
        if op in (Op.DATA_END, Op.FOOTER):
            break
        if is_known and end <= size:
            _take(found, file, position, op, length, beginning[HEAD.size :])
            position = end
            continue
        following = _next_chunk(file, position + 1)
        if following is not None:
            found.troubles.append(f"{following - position} bytes at {position} are damaged")
            position = following
            continue
        found.troubles.append(f"the last {size - position} bytes are an incomplete record")
        if op == Op.CHUNK and len(beginning) == BEGINNING:
            # The messages at its beginning may be whole.
            start_ns, end_ns = chunk_times(beginning[HEAD.size :])
            found.chunks.append(
                Chunk(position, size - position, start_ns, end_ns, None, is_cut=True)
            )
        break
    return found


def _take(
    found: Walk, file: BinaryIO, position: int, op: int, length: int, content: memoryview
) -> None:
    if op == Op.CHUNK:
        start_ns, end_ns = chunk_times(content)
        found.chunks.append(Chunk(position, HEAD.size + length, start_ns, end_ns, None))
    elif op == Op.MESSAGE_INDEX and found.chunks:
        number, count = message_index(content)
        if count:
            counts = {**(found.chunks[-1].counts or {}), number: count}
            found.chunks[-1] = found.chunks[-1]._replace(counts=counts)
    elif op == Op.MESSAGE:
        number, _, recorded_ns, _ = MESSAGE_HEAD.unpack_from(content)
        _take_bare(found.chunks, position, HEAD.size + length, number, recorded_ns)
    elif op in (Op.SCHEMA, Op.CHANNEL):
        file.seek(position + HEAD.size)
        found.definitions.append((op, file.read(length)))


def _take_bare(
    chunks: list[Chunk], position: int, length: int, number: int, recorded_ns: int
) -> None:
    last = chunks[-1] if chunks else None
    if (
        last
        and last.is_bare
        and last.offset + last.length == position < last.offset + MOST_BARE_BYTES
    ):
        counts = dict(last.counts or {})
        chunks[-1] = last._replace(
            length=last.length + length,
            start_ns=min(last.start_ns, recorded_ns),
            end_ns=max(last.end_ns, recorded_ns),
            counts=counts | {number: counts.get(number, 0) + 1},
        )
    else:
        chunks.append(Chunk(position, length, recorded_ns, recorded_ns, {number: 1}, is_bare=True))


def _next_chunk(file: BinaryIO, position: int) -> int | None:
    """Where the next chunk begins that lies in the file to its end."""
    size = file.seek(0, 2)
    overlap = 64
    while position < size:
        file.seek(position)
        block = file.read(SEARCH_BYTES)
        for match in CHUNK_PATTERN.finditer(block):
            start = position + match.start()
            _, length = HEAD.unpack_from(match.group())
            if _record_begins_at(file, start + HEAD.size + length, size):
                return start
        position += max(1, len(block) - overlap)
    return None


def _record_begins_at(file: BinaryIO, position: int, size: int) -> bool:
    file.seek(position)
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return position == size
    op, length = HEAD.unpack(head)
    return op in KNOWN_OPS and position + HEAD.size + length <= size
