"""Panoptic maps of one clip, once it is known which classes are things.

Worker processes call it for every clip when all clips are labelled.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from cups_core.pseudo_labels import LabelQuality, PseudoLabel, make_pseudo_label
from cups_core.thing_stuff import ThingStuff
from cups_training.labelling.clip_result import FAILED, ClipResult, FrameRecord
from cups_training.labelling.clips import Clip
from cups_training.labelling.coco_panoptic import class_names, encode
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.quality import FrameQuality, frame_quality
from cups_training.labelling.track_joining import TrackNames
from cups_training.whole_files import read_picture, write_png


@dataclass(frozen=True)
class PanopticTask:
    """What a worker must know to write the panoptic maps of one clip.

    Attributes:
        folder: of the labels.
        clip: which frames.
        split: things and stuff.
        track_names: the drive's track id for each of the clip's.
        recipe: name and digest of the configuration.
    """

    folder: LabelFolder
    clip: Clip
    split: ThingStuff
    track_names: TrackNames
    recipe: str


@dataclass(frozen=True)
class PanopticClip:
    """The panoptic maps of one clip as they were written.

    Attributes:
        clip: which frames.
        segments: `segments_info` of each labelled frame by stamp, ascending.
        qualities: of all frames of the clip.
    """

    clip: Clip
    segments: dict[int, list[dict[str, Any]]]
    qualities: tuple[FrameQuality, ...]


def write_panoptic(task: PanopticTask) -> PanopticClip:
    """Write the panoptic maps of one clip; the function of every worker.

    Raises:
        FileError: a map is missing or cannot be written.
    """
    result = ClipResult.read(task.folder.clip(task.clip.drive, task.clip.first))
    names = class_names(task.split)
    segments: dict[int, list[dict[str, Any]]] = {}
    qualities = []
    for record in result.frames:
        ignored = math.nan
        if record.status != FAILED:
            label = read_label(task, record)
            picture, segments[record.stamp_ns] = encode(label.panoptic(names))
            write_png(task.folder.panoptic(task.clip.drive, record.stamp_ns), picture, is_map=True)
            ignored = label.quality.ignored
        qualities.append(frame_quality(task.clip.drive, record, task.split.things, ignored))
    return PanopticClip(task.clip, segments, tuple(qualities))


def read_label(task: PanopticTask, record: FrameRecord) -> PseudoLabel:
    """The label of one frame from its two maps.

    Raises:
        FileError: a map is missing.
    """
    drive, stamp_ns = task.clip.drive, record.stamp_ns
    objects = [
        dataclasses.replace(item, track_id=task.track_names[item.track_id])
        for item in record.objects
    ]
    return make_pseudo_label(
        stamp_ns,
        read_picture(task.folder.semantic(drive, stamp_ns)),
        read_picture(task.folder.instance(drive, stamp_ns)),
        objects,
        task.split,
        task.recipe,
        LabelQuality(record.coverage, record.consistency, record.valid_fraction, 0.0),
    )
