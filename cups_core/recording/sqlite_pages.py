"""Finds the rows of a bag in the pages of a damaged SQLite file, without SQLite.

`sqlite_file` asks it where the file is cut or its tree of pages is broken: every page of rows that
is whole gives its rows, whatever happened to the pages above it.

Source: sqlite.org, "Database File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from cups_core.recording.data_file import offered_reliability
from cups_core.recording.messages import Definition, Topic

MAGIC = b"SQLite format 3\0"
FILE_HEADER = 100
LEAF = 0x0D
LEAF_HEADER = 8
USUAL_PAGE = 4096
BLOCK_BYTES = 1 << 24
INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class PageError(Exception):
    """The bytes are not what a page should hold."""


class Cell(NamedTuple):
    """Where a row lies: its beginning in its page, the rest in a chain of pages."""

    row: int
    local: bytes
    size: int
    next_page: int


class MessageRow(NamedTuple):
    """A row of the table of messages, without the message."""

    row: int
    topic_id: int
    recorded_ns: int
    page: int
    place: int


class DatabasePages:
    """The rows that can be found in a file.

    Attributes:
        topics: by their number.
        definitions: message types by name.
        rows: of messages, in the order of their numbers.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Look through all pages."""
        self._file = file
        self._bytes = file.seek(0, 2)
        file.seek(0)
        header = file.read(FILE_HEADER)
        self._page, reserved = USUAL_PAGE, 0
        if header.startswith(MAGIC):
            (page,) = struct.unpack_from(">H", header, 16)
            self._page, reserved = 65536 if page == 1 else max(512, page), header[20]
        self._usable = self._page - reserved
        self.topics: dict[int, Topic] = {}
        self.definitions: dict[str, Definition] = {}
        rows: dict[int, MessageRow] = {}
        for number, page in self._leaves():
            for place in _cell_places(page, FILE_HEADER if number == 1 else 0):
                try:
                    row = self._take(page, number, place)
                except (PageError, struct.error, IndexError, UnicodeDecodeError):
                    # A row that is not whole: the caller knows how many should be there.
                    continue
                if row is not None:
                    rows[row.row] = row
        self.rows = [rows[number] for number in sorted(rows)]

    def message(self, row: MessageRow) -> bytes:
        """The message of a row.

        Raises:
            PageError: one of its pages is lost.
        """
        page = self._read_page(row.page)
        payload = self._payload(self._cell(page, row.place))
        kinds, position = _kinds(payload)
        for kind in kinds[:3]:
            position += _size(kind)
        message = payload[position : position + _size(kinds[3])]
        if len(message) != _size(kinds[3]):
            raise PageError(f"row {row.row} is cut")
        return message

    def _take(self, page: bytes, number: int, place: int) -> MessageRow | None:
        cell = self._cell(page, place)
        kinds, position = _kinds(cell.local)
        if kinds[0] != 0 or len(kinds) < 4:
            return None
        if len(kinds) == 4 and kinds[3] >= 12 and kinds[3] % 2 == 0 and _is_integer(kinds[1:3]):
            topic_id, position = _integer(cell.local, position, kinds[1])
            recorded_ns, _ = _integer(cell.local, position, kinds[2])
            return MessageRow(cell.row, topic_id, recorded_ns, number, place)
        if all(kind >= 13 and kind % 2 for kind in kinds[1:]):
            self._take_words(cell.row, _words(self._payload(cell), kinds, position))
        return None

    def _take_words(self, row: int, words: list[str]) -> None:
        """A row of texts is a topic or a message type, or nothing that is needed."""
        if words[1] in ("ros2msg", "ros2idl"):
            self.definitions[words[0]] = Definition(words[2], words[1] == "ros2idl")
        elif words[0].startswith("/") and words[1].count("/") == 2:
            profiles = words[3] if len(words) > 3 else ""
            self.topics[row] = Topic(words[0], words[1], None, offered_reliability(profiles))

    def _leaves(self) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of each page that may hold rows."""
        pages_per_block = max(1, BLOCK_BYTES // self._page)
        for first in range(1, self._bytes // self._page + 1, pages_per_block):
            self._file.seek((first - 1) * self._page)
            block = self._file.read(pages_per_block * self._page)
            whole = len(block) // self._page
            kinds = np.frombuffer(block, np.uint8, whole * self._page).reshape(whole, -1)
            # The page of a row's rest begins with a page number, whose first byte is far smaller
            # in any file below 800 GB.
            found = np.flatnonzero(kinds[:, 0] == LEAF)
            if first == 1 and whole and kinds[0, FILE_HEADER] == LEAF:
                found = np.union1d(found, [0])
            for place in found.tolist():
                yield first + place, block[place * self._page : (place + 1) * self._page]

    def _read_page(self, number: int) -> bytes:
        self._file.seek((number - 1) * self._page)
        page = self._file.read(self._page)
        if number < 1 or len(page) != self._page:
            raise PageError(f"page {number} lies outside of the file")
        return page

    def _cell(self, page: bytes, place: int) -> Cell:
        size, position = _varint(page, place)
        row, position = _varint(page, position)
        local = self._local_size(size)
        end = position + local
        if end > self._usable:
            raise PageError("a row reaches beyond its page")
        (next_page,) = struct.unpack_from(">I", page, end) if local < size else (0,)
        return Cell(row, page[position:end], size, next_page)

    def _local_size(self, size: int) -> int:
        most = self._usable - 35
        least = (self._usable - 12) * 32 // 255 - 23
        if size <= most:
            return size
        fitting = least + (size - least) % (self._usable - 4)
        return fitting if fitting <= most else least

    def _payload(self, cell: Cell) -> bytes:
        parts, left, number = [cell.local], cell.size - len(cell.local), cell.next_page
        while left > 0:
            page = self._read_page(number)
            (number,) = struct.unpack_from(">I", page)
            parts.append(page[4 : min(self._usable, 4 + left)])
            left -= self._usable - 4
            if (number == 0) != (left <= 0):
                raise PageError(f"the pages of row {cell.row} are not linked to its end")
        return b"".join(parts)


def is_cut(file: BinaryIO) -> bool:
    """Whether the file has fewer pages than its header says."""
    file.seek(0)
    header = file.read(FILE_HEADER)
    if not header.startswith(MAGIC) or len(header) < FILE_HEADER:
        return False
    page, changes, pages, valid_for = struct.unpack(">16xH6xII60xI4x", header)
    # Other programs than SQLite 3.7 and later leave the number of pages as it was.
    size = int(pages) * (65536 if page == 1 else int(page))
    return changes == valid_for and size > file.seek(0, 2)


def _cell_places(page: bytes, offset: int) -> list[int]:
    _, count, _, _ = struct.unpack_from(">HHHB", page, offset + 1)
    first = offset + LEAF_HEADER
    if first + 2 * count > len(page):
        return []
    places = struct.unpack_from(f">{count}H", page, first)
    return [place for place in places if place >= first + 2 * count]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for place in range(position, position + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[position + 8], position + 9


def _kinds(payload: bytes) -> tuple[list[int], int]:
    """The types of a row's columns, and where their values begin."""
    end, position = _varint(payload, 0)
    if not 2 <= end <= len(payload):
        raise PageError("a row without a header")
    kinds = []
    while position < end:
        kind, position = _varint(payload, position)
        kinds.append(kind)
    return kinds, end


def _size(kind: int) -> int:
    """Bytes of a value of this type."""
    return INTEGER_SIZES.get(kind, 0) if kind < 12 else (kind - 12) // 2


def _is_integer(kinds: list[int]) -> bool:
    return all(kind in INTEGER_SIZES or kind in (8, 9) for kind in kinds)


def _integer(payload: bytes, position: int, kind: int) -> tuple[int, int]:
    if kind in (8, 9):
        return kind - 8, position
    end = position + INTEGER_SIZES[kind]
    return int.from_bytes(payload[position:end], "big", signed=True), end


def _words(payload: bytes, kinds: list[int], position: int) -> list[str]:
    words = []
    for kind in kinds[1:]:
        words.append(payload[position : position + _size(kind)].decode())
        position += _size(kind)
    return words
