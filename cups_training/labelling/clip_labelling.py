"""Labels one clip: motion, semantics, the vote that joins them, and the files of its frames.

Worker processes and the command call it; what it writes depends on the clip and the recipe alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.clip import ClipMotion, FrameMotion
from cups_core.motion.segments import MovingObject
from cups_core.panoptic import Segment
from cups_core.pseudo_labels import count_votes, paint_classes
from cups_core.semantics.semantic_classifier import SemanticClassifier
from cups_core.thing_stuff import count_frame, count_objects
from cups_training.dataset.drive import Drive
from cups_training.labelling.clip_result import EMPTY, LABELLED, ClipResult, FrameRecord
from cups_training.labelling.clips import Clip
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.pictures import Picture, read_pictures
from cups_training.whole_files import write_png

LEAST_DEPTH_SHARE = 0.01

SemanticMap = NDArray[np.uint8]
IdMap = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class _Labelled:
    """A frame of the clip that gets a label."""

    record: FrameRecord
    semantic: SemanticMap
    tracks: IdMap


class ClipLabeller:
    """Labels clips of one dataset with one recipe."""

    def __init__(
        self,
        folder: LabelFolder,
        motion: ClipMotion,
        classifier: SemanticClassifier,
        vote: str,
        margin_frames: int,
    ) -> None:
        self._folder = folder
        self._motion = motion
        self._classifier = classifier
        self._vote = vote
        self._margin_frames = margin_frames

    def label(self, drive: Drive, clip: Clip) -> ClipResult:
        """Label a clip and write its files, the result last.

        Raises:
            FileError: a file cannot be written.
        """
        indices = clip.with_margin(self._margin_frames, len(drive))
        pictures = read_pictures(drive, indices)
        frames = [picture.frame for picture in pictures if picture.frame is not None]
        motions = {item.stamp_ns: item for item in self._motion.label(frames)}
        own = pictures[clip.first - indices.start : clip.stop - indices.start]
        found = [self._look_at(picture, motions) for picture in own]
        labelled = [item for item in found if isinstance(item, _Labelled)]
        records = {item.record.stamp_ns: item.record for item in labelled}
        records |= {item.stamp_ns: item for item in found if isinstance(item, FrameRecord)}
        votes = count_votes([i.semantic for i in labelled], [i.tracks for i in labelled])
        of_track = votes.winners()
        statistics = count_objects(votes.pixels, of_track.values(), self._classifier.classes)
        for item in labelled:
            class_of = (
                of_track
                if self._vote == "track"
                else count_votes([item.semantic], [item.tracks]).winners()
            )
            semantic = paint_classes(item.semantic, item.tracks, class_of)
            statistics += count_frame(semantic, item.tracks, self._classifier.classes)
            records[item.record.stamp_ns] = self._write_frame(clip, item, semantic, class_of)
        if clip.first > 0 and indices.start < clip.first:
            self._write_seam(drive, clip, motions)
        ordered = tuple(records[picture.stamp_ns] for picture in own)
        result = ClipResult(clip, drive.fingerprint(), ordered, statistics)
        result.write(self._folder.clip(clip.drive, clip.first))
        return result

    def _look_at(
        self, picture: Picture, motions: Mapping[int, FrameMotion]
    ) -> _Labelled | FrameRecord:
        if picture.frame is None:
            return FrameRecord.failed(picture.stamp_ns, picture.fault)
        motion = motions[picture.stamp_ns]
        fault = _motion_fault(motion)
        if fault:
            return FrameRecord.failed(picture.stamp_ns, fault)
        try:
            semantic = self._classifier.classify(picture.frame, motion.disparity)
        except InputError as problem:
            return FrameRecord.failed(picture.stamp_ns, f"semantics: {problem}")
        tracks = motion.segments.instances
        is_empty = not motion.segments.objects
        record = FrameRecord(
            picture.stamp_ns,
            EMPTY if is_empty else LABELLED,
            "nothing moves" if is_empty else "",
            float((tracks > 0).mean()),
            motion.consistency,
            motion.valid_fraction,
            tuple(_segment(item) for item in motion.segments.objects),
        )
        return _Labelled(record, semantic, tracks)

    def _write_frame(
        self, clip: Clip, item: _Labelled, semantic: SemanticMap, class_of: Mapping[int, int]
    ) -> FrameRecord:
        """Write both maps; ids of the instance map count from 1 in every frame."""
        stamp_ns = item.record.stamp_ns
        place = np.zeros(int(item.tracks.max(initial=0)) + 1, np.uint16)
        objects = []
        for number, found in enumerate(item.record.objects, start=1):
            place[found.track_id] = number
            objects.append(replace(found, id=number, class_id=class_of[found.track_id]))
        write_png(self._folder.semantic(clip.drive, stamp_ns), semantic, is_map=True)
        write_png(self._folder.instance(clip.drive, stamp_ns), place[item.tracks], is_map=True)
        return replace(item.record, objects=tuple(objects))

    def _write_seam(self, drive: Drive, clip: Clip, motions: Mapping[int, FrameMotion]) -> None:
        """Keep the tracks in the last frame of the clip before, so that tracks can be joined."""
        before = motions.get(drive.stamps_ns[clip.first - 1])
        if before is not None and not _motion_fault(before):
            write_png(
                self._folder.seam(clip.drive, clip.first), before.segments.instances, is_map=True
            )


def _motion_fault(motion: FrameMotion) -> str:
    """Why nothing can be said of a frame; empty where something can."""
    if motion.note:
        return f"motion: {motion.note}"
    if not np.isfinite(motion.disparity).all():
        return "disparity: holds NaN or infinity"
    if (motion.disparity > 0).mean() < LEAST_DEPTH_SHARE:
        return "no valid depth: stereo matches almost nowhere"
    return ""


def _segment(item: MovingObject) -> Segment:
    return Segment(
        id=item.id,
        class_id=0,
        class_name="",
        is_thing=False,
        score=item.score,
        area_px=item.area_px,
        box=item.box,
        track_id=item.id,
        centroid_m=item.centroid_m,
        velocity_mps=item.velocity_mps,
    )
