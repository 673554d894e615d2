"""Remembers what was done with each pair, line by line, so that a killed extraction goes on.

A line is written when the pictures of its pair are whole on disk; a torn last line is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from cups_training.whole_files import FileError, json_line

Row = dict[str, Any]


class Journal(Mapping[int, Row]):
    """Rows of one pass over a drive by stamp, in order of time; they stay on disk.

    Raises:
        FileError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place_of: dict[int, int] = {}
        self._end = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
            self._file.seek(0)
            for line in self._file:
                row = _parsed(line)
                if row is None:
                    break
                self._place_of[row["stamp_ns"]] = self._end
                self._end += len(line)
            self._file.truncate(self._end)
        except OSError as problem:
            raise self._failed(problem) from problem

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._place_of)

    def __getitem__(self, stamp_ns: int) -> Row:
        place = self._place_of[stamp_ns]
        self._file.seek(place)
        row: Row = json.loads(self._file.readline())
        return row

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._place_of))

    def add(self, row: Row) -> None:
        """Remember a row; it survives when the process is killed right after.

        Raises:
            FileError: the disk is full.
        """
        line = json_line(row)
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as problem:
            raise self._failed(problem) from problem
        self._place_of[row["stamp_ns"]] = self._end
        self._end += len(line)

    def _failed(self, problem: OSError) -> FileError:
        return FileError(
            f"{self._path}: cannot be written ({problem.strerror or problem}); free some space or "
            "give another folder, then run the same command again: it goes on where it stopped"
        )


def _parsed(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if line.endswith(b"\n") and isinstance(row, dict) and "stamp_ns" in row else None
