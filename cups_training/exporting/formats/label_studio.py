"""Label Studio: one task a frame with the labels as predictions that people correct.

Its import takes the tasks, its labeling configuration is written beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from cups_core.panoptic import Segment
from cups_core.settings import setting
from cups_training.exporting.classes import ClassTable
from cups_training.exporting.format import Format
from cups_training.exporting.frames import ExportedDrive, ExportedFrame
from cups_training.exporting.label_studio_rle import brush_rle
from cups_training.exporting.run_lengths import runs_by_row
from cups_training.exporting.spool import Row, Spool
from cups_training.exporting.streamed_files import write_array
from cups_training.whole_files import write_whole


@dataclass(frozen=True)
class LabelStudioSettings:
    """How tasks find their pictures."""

    image_prefix: str = setting(
        "/data/local-files/?d=",
        "what precedes the place of a picture in the output folder; the default is Label Studio's "
        "local storage with the output folder as document root",
    )


class LabelStudio(Format[LabelStudioSettings]):
    """tasks_<split>.json, images/<split>/ and labeling_config.xml."""

    PURPOSE = "Label Studio tasks with brush masks as predictions"
    NEEDS_LABELS = True
    SETTINGS = LabelStudioSettings

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        for frame in drive.frames():
            picture = self.target.pictures.write(
                frame, "left", f"images/{frame.split}/{frame.name}"
            )
            image = f"{self.target.settings.image_prefix}{picture.file}"
            data = {"image": image, "drive": drive.name, "stamp_ns": str(frame.stamp_ns)}
            predictions = [self._prediction(frame)] if frame.is_labelled else []
            yield {
                "regions": [picture.regions],
                "counts": {"labelled": int(frame.is_labelled)},
                "task": {"data": data, "predictions": predictions},
            }

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        config = labeling_config(self.target.classes)
        write_whole(self.target.root / "labeling_config.xml", config.encode())
        for split in spool.splits:
            tasks = (row["task"] for row in spool.rows(split))
            write_array(self.target.root / f"tasks_{split}.json", tasks)
        return {}

    def _prediction(self, frame: ExportedFrame) -> dict[str, Any]:
        scores = [one.score for one in frame.label.table if one.is_thing]
        return {
            "model_version": f"cups {self.target.recipe}",
            "score": round(sum(scores) / len(scores), 4) if scores else 0.0,
            "result": [_region(frame, one) for one in frame.label.table],
        }


def _region(frame: ExportedFrame, segment: Segment) -> dict[str, Any]:
    height, width = frame.drive.rig.shape
    region: dict[str, Any] = {
        "id": f"{frame.name}_{segment.id}",
        "type": "brushlabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": brush_rle(runs_by_row(frame.label, segment), height * width),
            "brushlabels": [segment.class_name],
        },
    }
    if segment.is_thing:
        region |= {"score": segment.score, "meta": {"text": [f"track {segment.track_id}"]}}
    return region


def labeling_config(classes: ClassTable) -> str:
    """The configuration of the Label Studio project: one brush for each class, in its color."""
    labels = "\n".join(
        f"    <Label value={quoteattr(known.name)} "
        f'background="#{"".join(f"{part:02x}" for part in known.color)}"/>'
        for known in classes
    )
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        '  <BrushLabels name="label" toName="image">\n'
        f"{labels}\n  </BrushLabels>\n</View>\n"
    )
