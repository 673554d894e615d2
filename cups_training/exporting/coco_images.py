"""The images of COCO files: their entries, and which frames have one.

Both COCO formats write it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cups_training.exporting.spool import Row, Spool


def labelled(spool: Spool, split: str) -> Iterator[tuple[int, Row]]:
    """Rows of frames with a label, counted from 1."""
    return enumerate((row for row in spool.rows(split) if "image" in row), start=1)


def image_entry(shape: tuple[int, int], file: str, drive: str, stamp_ns: int) -> dict[str, Any]:
    """The entry of an image but its id; `file_name` counts from the folder of its split."""
    return {
        "file_name": file.rpartition("/")[2],
        "width": shape[1],
        "height": shape[0],
        "drive": drive,
        "stamp_ns": stamp_ns,
    }
