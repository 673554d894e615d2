"""From complete clips to a dataset of labels: classes split, panoptic files, quality, verdict.

`cups label` calls it when no clip is missing; it is cheap, and the same whoever does it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from cups_core.thing_stuff import ClassStatistics, ThingStuff, ThingStuffSettings, split_classes
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_result import FAILED, ClipResult
from cups_training.labelling.clips import Clip
from cups_training.labelling.coco_panoptic import annotation_entry, categories, image_entry
from cups_training.labelling.finished import Finished
from cups_training.labelling.gate import GateSettings, judge
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.label_pictures import LabelledFrame, label_sheet
from cups_training.labelling.panoptic_clip import PanopticClip, PanopticTask
from cups_training.labelling.report import report_page
from cups_training.labelling.track_joining import TrackNames, join_tracks
from cups_training.whole_files import (
    FileError,
    read_json,
    write_json,
    write_json_lines,
    write_whole,
)


def read_results(dataset: Dataset, folder: LabelFolder, clips: Sequence[Clip]) -> list[ClipResult]:
    """The results of all clips.

    Raises:
        FileError: one is missing, or its drive is not the one that was labelled.
    """
    fingerprint_of = {drive.name: drive.fingerprint() for drive in dataset.drives}
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
    clips: Sequence[Clip],
    recipe: str,
    split_settings: ThingStuffSettings,
    gate: GateSettings,
    run: Callable[[Sequence[PanopticTask]], Iterator[PanopticClip]],
) -> Finished:
    """Write all files that speak of the whole dataset, and the panoptic map of each frame.

    Args:
        dataset: that was labelled.
        folder: of the labels.
        clips: all of them, by drive and frame; each is complete.
        recipe: name and digest of the configuration.
        split_settings: when a class is a thing.
        gate: how many empty and failed frames are too many.
        run: carries out `write_panoptic` for every task.

    Raises:
        FileError: a file is missing or cannot be written, or a drive has changed.
    """
    results = read_results(dataset, folder, clips)
    folder.remove_drafts()
    statistics = reduce(add, (result.statistics for result in results))
    split = split_classes(statistics, split_settings)
    write_json(folder.thing_stuff, _described_split(statistics, split, split_settings))
    names = _track_names(folder, dataset, results)
    tasks = [PanopticTask(folder, clip, split, names[clip], recipe) for clip in clips]
    done = {panoptic.clip: panoptic for panoptic in run(tasks)}
    ordered = [done[clip] for clip in clips]
    write_whole(folder.panoptic_json, _compact(_coco(dataset, split, ordered, recipe)))
    qualities = tuple(quality for clip in ordered for quality in clip.qualities)
    write_json_lines(folder.quality, [quality.to_json() for quality in qualities])
    finished = Finished(recipe, statistics, split, qualities, judge(qualities, gate))
    sheet = label_sheet(
        dataset,
        [
            LabelledFrame(task, record)
            for task, result in zip(tasks, results, strict=True)
            for record in result.frames
            if record.status != FAILED
        ],
    )
    write_whole(folder.contact_sheet, sheet)
    title = f"Labels of {dataset.root.resolve().name}"
    page = report_page(title, finished, sheet, read_json(folder.recipe), split_settings)
    write_whole(folder.report, page.encode())
    return finished


def _described_split(
    statistics: ClassStatistics, split: ThingStuff, settings: ThingStuffSettings
) -> dict[str, Any]:
    """The split, the evidence for it and the counts that it rests on."""
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
                "effective_objects": round(item.effective_objects, 4),
                "significance": round(item.significance, 4),
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
        (number, clip.clip.drive, stamp_ns, segments)
        for number, (clip, stamp_ns, segments) in enumerate(
            ((clip, *item) for clip in clips for item in clip.segments.items()), start=1
        )
    ]
    return {
        "info": {"description": f"panoptic pseudo-labels from motion, recipe {recipe}"},
        "categories": categories(split),
        "images": [
            image_entry(number, drive, stamp_ns, rig_of[drive].width, rig_of[drive].height)
            for number, drive, stamp_ns, _ in labelled
        ],
        "annotations": [annotation_entry(*item) for item in labelled],
    }


def _compact(content: Any) -> bytes:
    """JSON without spaces: the file has an entry for every segment of every frame."""
    return (json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n").encode()
