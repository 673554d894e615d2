"""The Cityscapes layout: sequences, cameras and labels by split and city, and panoptic JSON.

The published CUPS trainer, cityscapesScripts and torchvision read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from cups_core.panoptic import Segment
from cups_training.exporting import void
from cups_training.exporting.cityscapes_names import SequenceSettings, cities, named_frames
from cups_training.exporting.classes import ClassTable
from cups_training.exporting.format import Format, Target
from cups_training.exporting.frames import SIDES, ExportedDrive, ExportedFrame
from cups_training.exporting.spool import Row, Spool
from cups_training.exporting.streamed_files import write_members
from cups_training.whole_files import FileError, write_json, write_png

FIRST_STUFF, FIRST_THING, OFFICIAL, LAST = 7, 24, 34, 64
"""Label ids: 0 to 6 are void, classes from 24 on have instances, 16-bit instance ids end at 65."""
PER_CLASS = 1000


class Cityscapes(Format[SequenceSettings]):
    """leftImg8bit(_sequence), rightImg8bit(_sequence), camera, gtFine, cityscapes_panoptic."""

    PURPOSE = "layout of Cityscapes with sequences; the published trainer runs on it"
    SETTINGS = SequenceSettings

    def __init__(self, target: Target[SequenceSettings]) -> None:
        super().__init__(target)
        self._cities = cities(target.drives)
        self._ids = label_ids(target.classes)

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        city = self._cities[drive.name]
        place = f"{drive.split}/{city}"
        for frame, name in named_frames(drive, city, self.target.settings):
            if not name:
                yield {"regions": [], "counts": {"left_out_at_the_end_of_clips": 1}}
                continue
            regions = []
            for side in SIDES:
                kind = f"{side}Img8bit"
                picture = self.target.pictures.write(
                    frame, side, f"{kind}_sequence/{place}/{name}_{kind}", as_png=True
                )
                regions.append(picture.regions)
                if frame.is_labelled or not self.target.classes:
                    self.target.pictures.again(picture.file, f"{kind}/{place}/{name}_{kind}")
            write_json(self.target.root / "camera" / place / f"{name}_camera.json", _camera(frame))
            row: Row = {"regions": regions}
            if frame.is_labelled:
                row |= self._write_label(frame, place, name) | {"counts": {"labelled": 1}}
            yield row

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        if not self.target.classes:
            return {}
        categories = [
            known.category() | {"id": self._ids[known.id], "pseudo_class": known.id}
            for known in self.target.classes
        ]
        categories.sort(key=lambda one: int(one["id"]))
        write_json(self.target.root / "classes.json", categories)
        for split in spool.splits:
            write_members(
                self.target.root / "gtFine" / f"cityscapes_panoptic_{split}.json",
                {
                    "images": (_image(row) for row in spool.rows(split) if "name" in row),
                    "annotations": (_annotation(row) for row in spool.rows(split) if "name" in row),
                    "categories": categories,
                },
            )
        return {"classes_beyond_the_official_table": sum(n >= OFFICIAL for n in self._ids.values())}

    def _write_label(self, frame: ExportedFrame, place: str, name: str) -> Row:
        ids = self._instance_ids(frame)
        root = self.target.root / "gtFine"
        table = frame.label.table
        classes = void.paint(
            frame.label, (self._ids[one.class_id] for one in table), void.CITYSCAPES, np.uint8
        )
        instances = void.paint(
            frame.label, (ids[one.id] for one in table), void.CITYSCAPES, np.uint16
        )
        colors = instances.astype("<u4").view(np.uint8).reshape(*instances.shape, 4)[..., :3]
        write_png(root / place / f"{name}_gtFine_labelIds.png", classes, is_map=True)
        write_png(root / place / f"{name}_gtFine_instanceIds.png", instances, is_map=True)
        panoptic = root / f"cityscapes_panoptic_{frame.split}" / f"{name}_gtFine_panoptic.png"
        write_png(panoptic, np.ascontiguousarray(colors), is_map=True)
        return {
            "name": name,
            "size": frame.drive.rig.shape,
            "segments": [
                {
                    "id": ids[one.id],
                    "category_id": self._ids[one.class_id],
                    "area": one.area_px,
                    "bbox": list(one.box),
                    "iscrowd": 0,
                }
                for one in table
            ],
        }

    def _instance_ids(self, frame: ExportedFrame) -> dict[int, int]:
        """Value in instanceIds of each segment: the class, and for things a number behind it."""
        seen: Counter[int] = Counter()
        ids = {}
        for one in frame.label.table:
            ids[one.id] = self._ids[one.class_id]
            if one.is_thing:
                ids[one.id] = PER_CLASS * ids[one.id] + _number(seen, one, frame)
        return ids


def _number(seen: Counter[int], segment: Segment, frame: ExportedFrame) -> int:
    number = seen[segment.class_id]
    seen[segment.class_id] += 1
    if number >= PER_CLASS:
        raise FileError(
            f"{frame.name}: more than {PER_CLASS} objects of {segment.class_name}, Cityscapes has "
            "no number for them; export coco-panoptic"
        )
    return number


def label_ids(classes: ClassTable) -> dict[int, int]:
    """Label id of each pseudo-class.

    Things take 24 to 33, whose official classes have instances, stuff takes 7 to 23; what does not
    fit takes what is left up to 33 and then ids that the official table does not know.

    Raises:
        FileError: there are more classes than ids.
    """
    wanted = [
        *zip(classes.things, range(FIRST_THING, OFFICIAL), strict=False),
        *zip(classes.stuff, range(FIRST_STUFF, FIRST_THING), strict=False),
    ]
    ids = {known.id: number for known, number in wanted}
    free = [number for number in range(FIRST_STUFF, LAST + 1) if number not in ids.values()]
    rest = [known for known in classes if known.id not in ids]
    if len(rest) > len(free):
        raise FileError(
            f"{len(classes)} classes: 16-bit instance ids of Cityscapes have room for "
            f"{LAST + 1 - FIRST_STUFF}; export coco-panoptic"
        )
    return ids | {known.id: number for known, number in zip(rest, free, strict=False)}


def _camera(frame: ExportedFrame) -> dict[str, Any]:
    rig = frame.drive.rig
    return {
        "extrinsic": {"baseline": rig.baseline_m},
        "intrinsic": {"fx": rig.fx, "fy": rig.fy, "u0": rig.cx, "v0": rig.cy},
    }


def _image(row: Row) -> dict[str, Any]:
    height, width = row["size"]
    # The name that the official script gives, though no file has it: readers cut it at _gtFine.
    file_name = f"{row['name']}_gtFine_leftImg8bit.png"
    return {"id": row["name"], "file_name": file_name, "width": width, "height": height}


def _annotation(row: Row) -> dict[str, Any]:
    return {
        "image_id": row["name"],
        "file_name": f"{row['name']}_gtFine_panoptic.png",
        "segments_info": row["segments"],
    }
