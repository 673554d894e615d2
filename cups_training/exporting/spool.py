"""What is known of each exported frame until all drives are done, one file a drive.

Exporting writes it; a run that was killed goes on with the first drive that has no file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_training.exporting.streamed_files import compact, read_lines, write_pieces

Row = dict[str, Any]

WITHOUT_LABEL: Row = {"regions": [], "counts": {"without_label": 1}}
"""Of a frame that a format of labels leaves out."""


@dataclass(frozen=True)
class Spool:
    """Rows by drive.

    Attributes:
        folder: it lies in.
        splits: names of the drives of each split, in the order of the dataset.
    """

    folder: Path
    splits: Mapping[str, tuple[str, ...]]

    def has(self, drive: str) -> bool:
        """Whether the drive is done."""
        return self._file(drive).exists()

    def write(self, drive: str, rows: Iterable[Row]) -> None:
        """The rows of a drive; when the last one is there, the drive is done."""
        write_pieces(self._file(drive), (f"{compact(row)}\n" for row in rows))

    def rows(self, split: str) -> Iterator[Row]:
        """All rows of a split."""
        for drive in self.splits[split]:
            yield from self.of_drive(drive)

    def of_drive(self, drive: str) -> Iterator[Row]:
        """All rows of a drive."""
        return read_lines(self._file(drive))

    def all(self) -> Iterator[Row]:
        """All rows."""
        for split in self.splits:
            yield from self.rows(split)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, drive: str) -> Path:
        return self.folder / f"{drive}.jsonl"
