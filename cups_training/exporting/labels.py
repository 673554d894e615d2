"""The panoptic labels of one recipe, read frame by frame beside the drives they belong to.

Exporting goes through frames and labels in the same order; neither is ever in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.segments import areas_and_boxes
from cups_core.panoptic import PanopticMap, Segment
from cups_training.exporting.classes import ClassTable
from cups_training.exporting.streamed_files import read_members
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import FileError, read_picture

COLORS = 256**3


class Place(NamedTuple):
    """Where an annotation belongs, ordered as drives and frames are."""

    drive: int
    stamp_ns: int


class LabelReader:
    """Labels in the order of `panoptic.json`.

    Attributes:
        folder: of the labels.
        classes: the categories of `panoptic.json`.

    Args:
        folder: of the labels.
        drives: names of all drives of the dataset, in its order.

    Raises:
        FileError: the labels are not finished or broken.
    """

    def __init__(self, folder: LabelFolder, drives: Sequence[str]) -> None:
        if not folder.panoptic_json.exists():
            known = sorted(path.parent.name for path in folder.root.parent.glob("*/panoptic.json"))
            raise FileError(
                f"{folder.panoptic_json}: found no finished labels; finished recipes of this "
                f"dataset are: {', '.join(known) or 'none'}; cups label makes them"
            )
        self.folder = folder
        self.classes = ClassTable.from_categories(
            value for key, value in read_members(folder.panoptic_json) if key == "categories"
        )
        self._drives = {name: number for number, name in enumerate(drives)}
        self._entries = self._ordered_entries()
        self._next = next(self._entries, None)
        self._number_of = np.zeros(COLORS, np.uint16)

    def take(self, drive: str, stamp_ns: int) -> Mapping[str, Any] | None:
        """The annotation of a frame; None where it has no label. Frames are asked for in order.

        Raises:
            FileError: the file holds a label of this drive for which there is no frame.
        """
        wanted = Place(self._drives[drive], stamp_ns)
        while self._next is not None and self._next[0] < wanted:
            place, entry = self._next
            if place.drive == wanted.drive:
                raise FileError(
                    f"{self.folder.panoptic_json}: {entry['file_name']} is the label of no frame "
                    f"of drive {drive}; the drive has changed since it was labelled: label it again"
                )
            self._next = next(self._entries, None)
        if self._next is None or self._next[0] != wanted:
            return None
        entry = self._next[1]
        self._next = next(self._entries, None)
        return entry

    def file(self, entry: Mapping[str, Any]) -> Path:
        """The panoptic PNG of an annotation."""
        return self.folder.root / "panoptic" / str(entry["file_name"])

    def decode(self, entry: Mapping[str, Any]) -> PanopticMap:
        """The segment map and table of an annotation; segments are numbered from 1.

        Raises:
            FileError: map and table do not fit together.
        """
        path = self.file(entry)
        segments = self._segments(path, [int(one["id"]) for one in entry["segments_info"]])
        measured = areas_and_boxes(segments)
        missing = [
            one["id"]
            for number, one in enumerate(entry["segments_info"], start=1)
            if number not in measured
        ]
        if missing:
            raise FileError(f"{path}: segments {missing} of panoptic.json have no pixel; {AGAIN}")
        unknown = np.full(3, np.nan)
        table = []
        for number, one in enumerate(entry["segments_info"], start=1):
            known = self.classes[int(one["category_id"])]
            area, box = measured[number]
            score, track = float(one.get("score", 1.0)), int(one.get("track_id", 0))
            table.append(
                Segment(
                    number,
                    known.id,
                    known.name,
                    known.is_thing,
                    score,
                    area,
                    box,
                    track,
                    unknown,
                    unknown,
                )
            )
        return PanopticMap(segments, tuple(table))

    def _segments(self, path: Path, ids: Sequence[int]) -> NDArray[np.uint16]:
        picture = read_picture(path)
        if picture.ndim != 3 or picture.dtype != np.uint8:
            raise FileError(
                f"{path}: expected an 8-bit RGB map, found {picture.dtype} {picture.shape}"
            )
        bytes_of = np.zeros((*picture.shape[:2], 4), np.uint8)
        bytes_of[..., :3] = picture
        colors = bytes_of.view("<u4")[..., 0]
        self._number_of[ids] = np.arange(1, len(ids) + 1)
        segments = self._number_of[colors]
        self._number_of[ids] = 0
        if np.count_nonzero(segments) != np.count_nonzero(colors):
            strange = np.unique(colors[(segments == 0) & (colors != 0)]).tolist()
            raise FileError(f"{path}: ids {strange[:4]} are not in panoptic.json; {AGAIN}")
        return segments

    def _ordered_entries(self) -> Iterator[tuple[Place, Mapping[str, Any]]]:
        last = Place(-1, 0)
        for key, entry in read_members(self.folder.panoptic_json):
            if key != "annotations":
                continue
            place = self._place(PurePosixPath(str(entry["file_name"])))
            if place <= last:
                raise FileError(
                    f"{self.folder.panoptic_json}: expected annotations in the order of drives and "
                    f"stamps, {entry['file_name']} is out of it; {AGAIN}"
                )
            last = place
            yield place, entry

    def _place(self, name: PurePosixPath) -> Place:
        if name.parent.name not in self._drives or not name.stem.isdigit():
            raise FileError(
                f"{self.folder.panoptic_json}: expected <drive>/<stamp_ns>.png of a drive of this "
                f"dataset, found {name}"
            )
        return Place(self._drives[name.parent.name], int(name.stem))


AGAIN = "cups label DATASET --finish writes both again"
