"""COCO instances by split: the objects of thing classes as run-length encoded masks.

FiftyOne, CVAT, pycocotools and every detector's loader read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from cups_training.exporting.coco_images import image_entry, labelled
from cups_training.exporting.format import Format, NoSettings
from cups_training.exporting.frames import ExportedDrive, ExportedFrame
from cups_training.exporting.run_lengths import coco_counts, runs_by_column
from cups_training.exporting.spool import WITHOUT_LABEL, Row, Spool
from cups_training.exporting.streamed_files import write_members


class CocoInstances(Format[NoSettings]):
    """images/<split>/ and annotations/instances_<split>.json."""

    PURPOSE = "COCO instances: objects as RLE masks, JSON by split"
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
            instances = _instances(frame)
            yield {
                "regions": [picture.regions],
                "counts": {"labelled": 1, "instances": len(instances)},
                "image": image_entry(
                    frame.drive.rig.shape, picture.file, drive.name, frame.stamp_ns
                ),
                "instances": instances,
            }

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        for split in spool.splits:
            write_members(
                self.target.root / "annotations" / f"instances_{split}.json",
                {
                    "info": {"description": f"{self.target.dataset}, labels {self.target.recipe}"},
                    "categories": [known.category() for known in self.target.classes.things],
                    "images": (
                        row["image"] | {"id": number} for number, row in labelled(spool, split)
                    ),
                    "annotations": _annotations(spool, split),
                },
            )
        return {}


def _annotations(spool: Spool, split: str) -> Iterator[dict[str, Any]]:
    numbers = count(1)
    for image, row in labelled(spool, split):
        for instance in row["instances"]:
            yield instance | {"id": next(numbers), "image_id": image}


def _instances(frame: ExportedFrame) -> list[dict[str, Any]]:
    height, width = frame.drive.rig.shape
    return [
        {
            "category_id": one.class_id,
            "bbox": list(one.box),
            "area": one.area_px,
            "iscrowd": 0,
            "segmentation": {
                "size": [height, width],
                "counts": coco_counts(runs_by_column(frame.label, one), height * width),
            },
            "track_id": one.track_id,
            "score": one.score,
        }
        for one in frame.label.table
        if one.is_thing
    ]
