"""Remembers what was done with each pair, line by line, so that a killed extraction goes on.

A line is written when the pictures of its pair are whole on disk; a torn last line is forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from cups_training.whole_files import FileError


class Journal:
    """Rows of one pass over a drive, by stamp.

    Attributes:
        rows: what former runs did, by stamp in nanoseconds.

    Raises:
        FileError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[int, dict[str, Any]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
            self._file.seek(0)
            whole = 0
            for line in self._file:
                row = _parsed(line)
                if row is None:
                    break
                self.rows[row["stamp_ns"]] = row
                whole += len(line)
            self._file.truncate(whole)
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

    def add(self, row: dict[str, Any]) -> None:
        """Remember a row; it survives when the process is killed right after.

        Raises:
            FileError: the disk is full.
        """
        try:
            self._file.write(json.dumps(row, sort_keys=True).encode() + b"\n")
            self._file.flush()
        except OSError as problem:
            raise self._failed(problem) from problem
        self.rows[row["stamp_ns"]] = row

    def _failed(self, problem: OSError) -> FileError:
        return FileError(
            f"{self._path}: cannot be written ({problem.strerror or problem}); free some space or "
            "give another folder, then run the same command again: it goes on where it stopped"
        )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if line.endswith(b"\n") and isinstance(row, dict) and "stamp_ns" in row else None
