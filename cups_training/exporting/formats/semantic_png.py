"""Semantic maps: one 8-bit PNG a frame with the class of each pixel, and the table of classes.

Most trainers of semantic segmentation, FiftyOne and CVAT read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cups_training.exporting import void
from cups_training.exporting.format import Format, NoSettings
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.spool import WITHOUT_LABEL, Row, Spool
from cups_training.whole_files import write_json, write_png


class SemanticPng(Format[NoSettings]):
    """images/<split>/, masks/<split>/ and classes.json."""

    PURPOSE = "class of each pixel as 8-bit PNG, 255 = void"
    NEEDS_LABELS = True

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        for frame in drive.frames():
            if not frame.is_labelled:
                yield WITHOUT_LABEL
                continue
            picture = self.target.pictures.write(
                frame, "left", f"images/{frame.split}/{frame.name}"
            )
            classes = void.paint(
                frame.label, (one.class_id for one in frame.label.table), void.SEMANTIC, np.uint8
            )
            place = self.target.root / "masks" / frame.split / f"{frame.name}.png"
            write_png(place, classes, is_map=True)
            yield {"regions": [picture.regions], "counts": {"labelled": 1}}

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        void_class = {"id": void.SEMANTIC, "name": "void", "isthing": 0, "color": [0, 0, 0]}
        classes = [*(known.category() for known in self.target.classes), void_class]
        write_json(self.target.root / "classes.json", classes)
        return {}
