"""Numbered sequences: formats of tracks call a drive by four digits, and want a track for objects.

MOTS and KITTI-STEP write them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cups_core.panoptic import Segment
from cups_training.exporting.frames import ExportedFrame
from cups_training.exporting.spool import Spool
from cups_training.whole_files import FileError, write_json


def sequence_name(drives: Sequence[str], drive: str) -> str:
    """The drive's number in the dataset, whatever part of it is exported."""
    return f"{drives.index(drive):04d}"


def tracked(frame: ExportedFrame) -> Iterator[Segment]:
    """The objects of a frame.

    Raises:
        FileError: one has no track.
    """
    for one in frame.label.table:
        if one.is_thing:
            if not one.track_id:
                raise FileError(
                    f"{frame.name}: an object of {one.class_name} has no track_id; export "
                    "coco-panoptic or coco-instances, which need none"
                )
            yield one


def write_sequences(root: Path, drives: Sequence[str], spool: Spool) -> None:
    """`sequences.json`: which drive each number is."""
    rows = [
        {"sequence": sequence_name(drives, drive), "drive": drive, "split": split}
        for split, names in spool.splits.items()
        for drive in names
    ]
    write_json(root / "sequences.json", rows)
