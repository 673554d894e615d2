"""One id for each object of a drive: tracks of neighbouring clips that lie on each other are one.

Every clip also labels the last frames of the clip before it; where its masks there meet those of
that clip, the object is the same. Finishing calls it when all clips of a drive are complete.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cups_training.labelling.clip_result import FAILED, ClipResult
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import read_picture

SAME_OBJECT_IOU = 0.5

TrackNames = dict[int, int]


def join_tracks(folder: LabelFolder, results: Sequence[ClipResult]) -> list[TrackNames]:
    """For each clip of a drive: the drive's track id of each of its own track ids.

    Args:
        folder: of the labels.
        results: all clips of one drive in order.

    Raises:
        FileError: a map cannot be read.
    """
    names: list[TrackNames] = []
    last = 0
    for number, result in enumerate(results):
        inherited = _inherited(folder, results[number - 1], result) if number else {}
        known: TrackNames = {}
        for track in sorted({item.track_id for frame in result.frames for item in frame.objects}):
            if track in inherited:
                known[track] = names[-1][inherited[track]]
            else:
                last += 1
                known[track] = last
        names.append(known)
    return names


def _inherited(folder: LabelFolder, before: ClipResult, result: ClipResult) -> TrackNames:
    """Track of the clip before for each track of this clip that continues it."""
    frame = before.frames[-1]
    seam = folder.seam(result.clip.drive, result.clip.first)
    if frame.status == FAILED or not seam.exists():
        return {}
    ids = read_picture(folder.instance(result.clip.drive, frame.stamp_ns))
    track_of = np.zeros(int(ids.max(initial=0)) + 1, np.int64)
    for item in frame.objects:
        track_of[item.id] = item.track_id
    return overlapping(read_picture(seam), track_of[ids])


def overlapping(first: NDArray[np.integer], second: NDArray[np.integer]) -> TrackNames:
    """For each id of `first` the id of `second` that it overlaps with an IoU above a half.

    Args:
        first: integer (H, W), 0 = none.
        second: integer (H, W), 0 = none.
    """
    both = (first > 0) & (second > 0)
    pairs, shared = np.unique(
        np.stack([first[both], second[both]], axis=1).astype(np.int64), axis=0, return_counts=True
    )
    found = {}
    for (one, other), count in zip(pairs.tolist(), shared.tolist(), strict=True):
        union = np.count_nonzero(first == one) + np.count_nonzero(second == other) - count
        if count > SAME_OBJECT_IOU * union:
            found[one] = other
    return found
