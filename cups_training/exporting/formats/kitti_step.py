"""KITTI-STEP: class and track of each pixel in one RGB map a frame, sequence by sequence.

DeepLab2 and judges of segmentation and tracking quality read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cups_training.exporting import void
from cups_training.exporting.format import Format, NoSettings
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.sequences import sequence_name, tracked, write_sequences
from cups_training.exporting.spool import Row, Spool
from cups_training.whole_files import write_json, write_png


class KittiStep(Format[NoSettings]):
    """images/<split>/, panoptic_maps/<split>/ and classes.json."""

    PURPOSE = "KITTI-STEP: class in red, track in green * 256 + blue"
    NEEDS_LABELS = True

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        sequence = sequence_name(self.target.drives, drive.name)
        for frame in drive.frames():
            place = f"{drive.split}/{sequence}/{frame.index:06d}"
            picture = self.target.pictures.write(frame, "left", f"images/{place}")
            table = frame.label.table
            tracks = {one.id: one.track_id for one in tracked(frame)}
            classes = void.paint(
                frame.label, (one.class_id for one in table), void.SEMANTIC, np.uint8
            )
            ids = void.paint(
                frame.label, (tracks.get(one.id, 0) for one in table), void.NO_INSTANCE, np.uint16
            )
            colors = np.dstack([classes, ids >> 8, ids & 255]).astype(np.uint8)
            write_png(self.target.root / "panoptic_maps" / f"{place}.png", colors, is_map=True)
            counts = {"labelled": int(frame.is_labelled), "objects": len(tracks)}
            yield {"regions": [picture.regions], "counts": counts}

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        classes = [known.category() for known in self.target.classes]
        write_json(self.target.root / "classes.json", classes)
        write_sequences(self.target.root, self.target.drives, spool)
        return {}
