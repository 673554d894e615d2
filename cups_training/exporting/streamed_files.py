"""Files that are longer than memory: written piece by piece and whole or not there, read likewise.

Spools, JSON with many entries and text tables are written with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

from cups_training.whole_files import FileError, whole_file

CHUNK = 1 << 20


def compact(value: Any) -> str:
    """JSON in one line without spaces, keys sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """A text file from its pieces.

    Raises:
        FileError: the place cannot be written; nothing is left behind.
    """
    with whole_file(path) as file:
        for piece in pieces:
            file.write(piece.encode())


def write_array(path: Path, values: Iterable[Any]) -> None:
    """A JSON array that is never in memory as a whole.

    Raises:
        FileError: the place cannot be written.
    """
    write_pieces(path, chain(_array(values), "\n"))


def write_members(path: Path, members: Mapping[str, Any]) -> None:
    """A JSON object; members that are iterators become arrays and are never in memory as a whole.

    Raises:
        FileError: the place cannot be written.
    """
    write_pieces(path, chain(_object(members), "\n"))


def _array(values: Iterable[Any]) -> Iterator[str]:
    """One element a line."""
    before = "[\n"
    for value in values:
        yield before + compact(value)
        before = ",\n"
    yield "[]" if before == "[\n" else "\n]"


def _object(members: Mapping[str, Any]) -> Iterator[str]:
    before = "{"
    for key, value in members.items():
        yield f"{before}{json.dumps(key)}:"
        if isinstance(value, Iterator):
            yield from _array(value)
        else:
            yield compact(value)
        before = ",\n"
    yield "{}" if before == "{" else "}"


def read_members(path: Path) -> Iterator[tuple[str, Any]]:
    """Members of the JSON object in a file; of an array each element by itself.

    Raises:
        FileError: the file is missing or holds something else.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            yield from _members(_Text(stream))
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
    except ValueError as problem:
        raise FileError(f"{path}: expected a JSON object, {problem}") from problem


def read_lines(path: Path) -> Iterator[Any]:
    """The values of a file with one JSON value a line.

    Raises:
        FileError: the file is missing or broken.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
    except ValueError as problem:
        raise FileError(f"{path}: expected JSON lines, {problem}; remove it") from problem


class _Text:
    """The part of a JSON text that is being read."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._buffer, self._place = "", 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is no space."""
        while True:
            while self._place < len(self._buffer):
                if not self._buffer[self._place].isspace():
                    return self._buffer[self._place]
                self._place += 1
            if not self._fill():
                raise ValueError("found its end too early")

    def take(self, expected: str) -> str:
        """One of the expected characters."""
        found = self.peek()
        if found not in expected:
            raise ValueError(f"expected one of {expected!r}, found {found!r}")
        self._place += 1
        return found

    def value(self) -> Any:
        """A whole value."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._place)
            except ValueError:
                if self._fill():
                    continue
                raise
            # A number that touches the end of what was read may have more digits.
            if end < len(self._buffer) or not self._fill():
                self._place = end
                return value

    def _fill(self) -> bool:
        # Doubling keeps the repeated attempts at a long value linear in its length.
        more = self._stream.read(max(CHUNK, len(self._buffer) - self._place))
        self._buffer, self._place = self._buffer[self._place :] + more, 0
        return bool(more)


def _members(text: _Text) -> Iterator[tuple[str, Any]]:
    text.take("{")
    if text.peek() == "}":
        return
    while True:
        key = text.value()
        text.take(":")
        if text.peek() == "[":
            for element in _elements(text):
                yield key, element
        else:
            yield key, text.value()
        if text.take(",}") == "}":
            return


def _elements(text: _Text) -> Iterator[Any]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.take(",]") == "]":
            return
