"""From complete clips to a dataset of labels: classes split, panoptic files, quality, verdict.

`cups label` calls it when no clip is missing; it is cheap, and the same whoever does it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from cups_core.pseudo_labels import LabelQuality, PseudoLabel, make_pseudo_label
from cups_core.thing_stuff import ClassStatistics, ThingStuff, ThingStuffSettings, split_classes
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive
from cups_training.labelling.clip_result import EMPTY, FAILED, LABELLED, ClipResult, FrameRecord
from cups_training.labelling.clips import Clip
from cups_training.labelling.coco_panoptic import (
    annotation_entry,
    categories,
    class_names,
    encode,
    image_entry,
)
from cups_training.labelling.gate import GateSettings, Verdict, judge
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.quality import FrameQuality, frame_quality
from cups_training.labelling.track_joining import TrackNames, join_tracks
from cups_training.whole_files import (
    FileError,
    read_picture,
    write_json,
    write_json_lines,
    write_png,
)


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
        segments: `segments_info` of each labelled frame by stamp.
        qualities: of all frames of the clip.
    """

    clip: Clip
    segments: dict[int, list[dict[str, Any]]]
    qualities: tuple[FrameQuality, ...]


@dataclass(frozen=True)
class Finished:
    """What finishing found; the report and the command print it.

    Attributes:
        statistics: of all clips.
        split: things and stuff.
        qualities: of all frames, by drive and stamp.
        verdict: of the gate.
    """

    statistics: ClassStatistics
    split: ThingStuff
    qualities: tuple[FrameQuality, ...]
    verdict: Verdict


def read_results(
    folder: LabelFolder, drives: Sequence[Drive], clips: Sequence[Clip]
) -> list[ClipResult]:
    """The results of all clips.

    Raises:
        FileError: one is missing, or its drive is not the one that was labelled.
    """
    fingerprint_of = {drive.name: drive.fingerprint() for drive in drives}
    results = [ClipResult.read(folder.clip(clip.drive, clip.first)) for clip in clips]
    for result in results:
        if result.fingerprint != fingerprint_of[result.clip.drive]:
            raise FileError(
                f"{folder.root}: drive {result.clip.drive} has changed since it was labelled; "
                "give another --name, or remove the folder"
            )
    return results


def finish(
    dataset: Dataset,
    folder: LabelFolder,
    results: Sequence[ClipResult],
    recipe: str,
    split_settings: ThingStuffSettings,
    gate: GateSettings,
    run: Callable[[Sequence[PanopticTask]], Iterator[PanopticClip]],
) -> Finished:
    """Write thing_stuff.json, panoptic maps and JSON, quality.jsonl.

    Args:
        dataset: that was labelled.
        folder: of the labels.
        results: of all its clips, by drive and frame.
        recipe: name and digest of the configuration.
        split_settings: when a class is a thing.
        gate: how many empty and failed frames are too many.
        run: carries out the tasks of all clips with `write_panoptic`.

    Raises:
        FileError: a map is missing or a file cannot be written.
    """
    folder.remove_drafts()
    statistics = reduce(add, (result.statistics for result in results))
    split = split_classes(statistics, split_settings)
    write_json(folder.thing_stuff, described_split(statistics, split, split_settings))
    names = _track_names(folder, dataset, results)
    tasks = [
        PanopticTask(folder, result.clip, split, names[result.clip], recipe) for result in results
    ]
    done = {clip.clip: clip for clip in run(tasks)}
    ordered = [done[result.clip] for result in results]
    write_json(folder.panoptic_json, _coco(dataset, split, ordered, recipe))
    qualities = tuple(quality for clip in ordered for quality in clip.qualities)
    write_json_lines(folder.quality, [quality.to_json() for quality in qualities])
    return Finished(statistics, split, qualities, judge(qualities, gate))


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
        ignored = float("nan")
        if record.status != FAILED:
            label = read_label(task, record)
            picture, segments[record.stamp_ns] = encode(label.panoptic(names))
            write_png(task.folder.panoptic(task.clip.drive, record.stamp_ns), picture)
            ignored = label.quality.ignored
        qualities.append(frame_quality(task.clip.drive, record, task.split.things, ignored))
    return PanopticClip(task.clip, segments, tuple(qualities))


def read_label(task: PanopticTask, record: FrameRecord) -> PseudoLabel:
    """The label of one frame from its two maps.

    Raises:
        FileError: a map is missing.
    """
    drive, stamp_ns = task.clip.drive, record.stamp_ns
    return make_pseudo_label(
        stamp_ns,
        read_picture(task.folder.semantic(drive, stamp_ns)),
        read_picture(task.folder.instance(drive, stamp_ns)),
        [
            dataclasses.replace(item, track_id=task.track_names[item.track_id])
            for item in record.objects
        ],
        task.split,
        task.recipe,
        LabelQuality(record.coverage, record.consistency, record.valid_fraction, 0.0),
    )


def described_split(
    statistics: ClassStatistics, split: ThingStuff, settings: ThingStuffSettings
) -> dict[str, Any]:
    """The split, the evidence for it and the counts that it rests on, as thing_stuff.json."""
    return {
        "settings": dataclasses.asdict(settings),
        "things": list(split.things),
        "stuff": list(split.stuff),
        "evidence": [
            {
                "class_id": item.class_id,
                "is_thing": item.is_thing,
                "share_in_masks": round(item.share_in_masks, 6),
                "lift": round(item.lift, 4),
                "chance": float(f"{item.chance:.3g}"),
                "normalised": round(item.normalised, 6),
            }
            for item in split.evidence
        ],
        "statistics": statistics.to_json(),
    }


def _track_names(
    folder: LabelFolder, dataset: Dataset, results: Sequence[ClipResult]
) -> Mapping[Clip, TrackNames]:
    names: dict[Clip, TrackNames] = {}
    for drive in dataset.drives:
        own = [result for result in results if result.clip.drive == drive.name]
        for result, known in zip(own, join_tracks(folder, own), strict=True):
            names[result.clip] = known
    return names


def _coco(
    dataset: Dataset, split: ThingStuff, clips: Sequence[PanopticClip], recipe: str
) -> dict[str, Any]:
    rig_of = {drive.name: drive.rig for drive in dataset.drives}
    labelled = [
        (clip.clip.drive, stamp_ns, segments)
        for clip in clips
        for stamp_ns, segments in sorted(clip.segments.items())
    ]
    return {
        "info": {"description": f"panoptic pseudo-labels from motion, recipe {recipe}"},
        "categories": categories(split),
        "images": [
            image_entry(number, drive, stamp_ns, rig_of[drive].width, rig_of[drive].height)
            for number, (drive, stamp_ns, _) in enumerate(labelled, start=1)
        ],
        "annotations": [
            annotation_entry(number, drive, stamp_ns, segments)
            for number, (drive, stamp_ns, segments) in enumerate(labelled, start=1)
        ],
    }


def summarise(finished: Finished) -> dict[str, Any]:
    """The figures of the whole dataset by name."""
    counts = Counter(quality.status for quality in finished.qualities)
    labelled = [quality for quality in finished.qualities if quality.status != FAILED]
    masks = sum(quality.masks for quality in labelled)
    return {
        "frames": len(finished.qualities),
        "labelled": counts[LABELLED],
        "empty": counts[EMPTY],
        "failed": counts[FAILED],
        "masks": masks,
        "dropped_masks": sum(quality.dropped_masks for quality in labelled),
        "things": len(finished.split.things),
        "stuff": len(finished.split.stuff),
        "passed": finished.verdict.is_passed,
        "faults": list(finished.verdict.faults),
        "causes": dict(finished.verdict.causes),
    }
