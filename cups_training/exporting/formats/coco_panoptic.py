"""COCO panoptic by split: images, segment maps bit for bit, and one JSON for each split.

detectron2, mmdetection, lightly-train and panopticapi read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cups_training.exporting.coco_images import image_entry, labelled
from cups_training.exporting.format import Format, NoSettings
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.spool import WITHOUT_LABEL, Row, Spool
from cups_training.exporting.streamed_files import write_members


class CocoPanoptic(Format[NoSettings]):
    """images/<split>, annotations/panoptic_<split>/, annotations/panoptic_<split>.json."""

    PURPOSE = "COCO panoptic: segment maps and JSON by split"
    NEEDS_LABELS = True

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        for frame in drive.frames():
            if frame.labels is None or frame.entry is None:
                yield WITHOUT_LABEL
                continue
            picture = self.target.pictures.write(
                frame, "left", f"images/{frame.split}/{frame.name}"
            )
            map_name = f"{frame.name}.png"
            self.target.pictures.place(
                frame.labels.file(frame.entry), f"annotations/panoptic_{frame.split}/{map_name}"
            )
            yield {
                "regions": [picture.regions],
                "counts": {"labelled": 1},
                "image": image_entry(
                    frame.drive.rig.shape, picture.file, drive.name, frame.stamp_ns
                ),
                "map": map_name,
                "segments": frame.entry["segments_info"],
            }

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        for split in spool.splits:
            write_members(
                self.target.root / "annotations" / f"panoptic_{split}.json",
                {
                    "info": {"description": f"{self.target.dataset}, labels {self.target.recipe}"},
                    "categories": [known.category() for known in self.target.classes],
                    "images": (
                        row["image"] | {"id": number} for number, row in labelled(spool, split)
                    ),
                    "annotations": (
                        {
                            "image_id": number,
                            "file_name": row["map"],
                            "segments_info": row["segments"],
                        }
                        for number, row in labelled(spool, split)
                    ),
                },
            )
        return {}
