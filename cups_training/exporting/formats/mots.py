"""MOTS: objects with tracks as 16-bit PNG and as text with run lengths, sequence by sequence.

TrackEval and the tools of KITTI MOTS read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from cups_core.panoptic import PanopticMap
from cups_training.exporting import void
from cups_training.exporting.classes import ClassTable
from cups_training.exporting.format import Format, NoSettings, Target
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.run_lengths import coco_counts, runs_by_column, void_by_column
from cups_training.exporting.sequences import sequence_name, tracked, write_sequences
from cups_training.exporting.spool import Row, Spool
from cups_training.exporting.streamed_files import write_pieces
from cups_training.whole_files import FileError, write_json, write_png, write_whole

PER_CLASS = 1000
IGNORE_CLASS = void.MOTS // PER_CLASS


class Mots(Format[NoSettings]):
    """<split>/images, instances, instances_txt and evaluate_mots.seqmap.<split>."""

    PURPOSE = "MOTS: class * 1000 + track as 16-bit PNG, and RLE text, for things"
    NEEDS_LABELS = True

    def __init__(self, target: Target[NoSettings]) -> None:
        super().__init__(target)
        self._classes = class_numbers(target.classes)

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        sequence = sequence_name(self.target.drives, drive.name)
        numbers: dict[tuple[int, int], int] = {}
        seen: Counter[int] = Counter()
        for frame in drive.frames():
            place = f"{drive.split}/images/{sequence}/{frame.index:06d}"
            picture = self.target.pictures.write(frame, "left", place)
            values = {}
            for one in tracked(frame):
                key = (one.class_id, one.track_id)
                if key not in numbers:
                    numbers[key] = seen[one.class_id]
                    seen[one.class_id] += 1
                values[one.id] = PER_CLASS * self._classes[one.class_id] + numbers[key]
            if max(seen.values(), default=0) > PER_CLASS:
                raise FileError(
                    f"drive {drive.name}: more than {PER_CLASS} tracks of one class, MOTS has no "
                    "number for them; export kitti-step, which has 65535 for each"
                )
            # Stuff is background: 0; what the label does not judge is the ignored region.
            ids = void.paint(
                frame.label,
                (values.get(one.id, 0) for one in frame.label.table),
                void.MOTS,
                np.uint16,
            )
            instances = self.target.root / drive.split / "instances" / sequence
            write_png(instances / f"{frame.index:06d}.png", ids, is_map=True)
            yield {
                "regions": [picture.regions],
                "counts": {"labelled": int(frame.is_labelled), "objects": len(values)},
                "lines": _lines(frame.index, frame.label, values),
            }

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        classes = [
            known.category() | {"id": self._classes[known.id], "pseudo_class": known.id}
            for known in self.target.classes.things
        ]
        write_json(self.target.root / "classes.json", classes)
        write_sequences(self.target.root, self.target.drives, spool)
        for split, drives in spool.splits.items():
            folder = self.target.root / split
            lengths = []
            for drive in drives:
                sequence = sequence_name(self.target.drives, drive)
                lines = (line for row in spool.of_drive(drive) for line in row["lines"])
                write_pieces(
                    folder / "instances_txt" / f"{sequence}.txt", (f"{line}\n" for line in lines)
                )
                last = sum(1 for _ in spool.of_drive(drive)) - 1
                lengths.append(f"{sequence} empty 000000 {last:06d}\n")
            write_whole(folder / f"evaluate_mots.seqmap.{split}", "".join(lengths).encode())
        return {}


def class_numbers(classes: ClassTable) -> dict[int, int]:
    """Number of each thing class: from 1 on, and never that of the ignored region.

    Raises:
        FileError: there are more classes than 16 bits have room for.
    """
    most = np.iinfo(np.uint16).max // PER_CLASS - 1
    free = [number for number in range(1, most + 1) if number != IGNORE_CLASS]
    if len(classes.things) > len(free):
        raise FileError(
            f"{len(classes.things)} thing classes, MOTS has room for {len(free)}; export kitti-step"
        )
    return {known.id: number for known, number in zip(classes.things, free, strict=False)}


def _lines(index: int, label: PanopticMap, values: dict[int, int]) -> list[str]:
    """time, id, class, height, width, mask of each object and of the ignored region."""
    height, width = label.segments.shape
    masks = [
        (values[one.id], values[one.id] // PER_CLASS, runs_by_column(label, one))
        for one in label.table
        if one.id in values
    ]
    ignored = void_by_column(label)
    if len(ignored):
        masks.append((void.MOTS, IGNORE_CLASS, ignored))
    return [
        f"{index} {value} {number} {height} {width} {coco_counts(runs, height * width)}"
        for value, number, runs in masks
    ]
