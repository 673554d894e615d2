"""Objects of a whole clip: who is who, who is believed, and where they are in each frame.

Whole-clip labelling asks it after all frames were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.clip_halts import held_masks
from cups_core.motion.clip_masks import IdMap, steady_masks, voted_masks
from cups_core.motion.clip_merging import merge_views
from cups_core.motion.clip_outlines import sharpened
from cups_core.motion.clip_views import SeenFrame, View
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes
from cups_core.motion.tracking import Tracker, TrackingSettings
from cups_core.settings import setting

HOLD_FRAMES = 3


@dataclass(frozen=True)
class TrackSettings:
    """Which tracks are believed and how far they are carried."""

    propagate: bool = setting(
        True, "carry masks along tracks to frames where the object was not measured"
    )
    sharpen: bool = setting(
        True, "draw the outlines of propagated masks along the edges of the picture"
    )
    longest_halt_s: float = setting(
        1.0,
        "time for which an object that moves at another time keeps its mask while it halts or is "
        "not found, seconds",
        minimum=0.0,
        maximum=60.0,
    )
    minimum_track_evidence: float = setting(
        8.0,
        "evidence that a track must gather, -log(1 - score) summed over its frames and views",
        minimum=0.0,
    )
    minimum_track_frames: int = setting(
        3, "frames in which a track must be measured", minimum=1, maximum=100
    )
    minimum_agreement: float = setting(
        0.5,
        "IoU that a track's masks must reach on average with each other and with what was measured",
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(eq=False)
class ClipTrack:
    """One object through the clip.

    Attributes:
        seen: the object by index of the frame in which it was measured.
        evidence: of each of these frames.
    """

    seen: dict[int, MovingObject] = field(default_factory=dict)
    evidence: dict[int, float] = field(default_factory=dict)


def link_frames(frames: Sequence[SeenFrame]) -> tuple[list[IdMap], dict[int, ClipTrack]]:
    """Measured masks of every frame under track ids, and what was gathered of each track."""
    tracker = Tracker(TrackingSettings(confirm_evidence=0.0, hold_frames=HOLD_FRAMES))
    measured: list[IdMap] = []
    tracks: dict[int, ClipTrack] = {}
    for index, frame in enumerate(frames):
        merged = merge_views(frame.views, frame.disparity.shape)
        flow = frame.to_past
        if flow is None:
            flow = np.zeros((*frame.disparity.shape, 2), np.float32)
        carried = tracker.propagate(flow, frame.disparity)
        shown = tracker.update(
            merged, carried, frame.ego_motion or RigidTransform.identity(), frame.interval_s
        )
        ids = np.where(merged.instances > 0, shown.instances, 0).astype(np.uint16)
        measured.append(ids)
        by_id = {item.id: item for item in shown.objects}
        for number in np.unique(ids[ids > 0]):
            key = int(number)
            track = tracks.setdefault(key, ClipTrack())
            inside = merged.instances[ids == key]
            evidence = [
                -np.log(max(1 - item.score, 1e-6))
                for item in merged.objects
                if (inside == item.id).sum() > 0.5 * (merged.instances == item.id).sum()
            ]
            track.evidence[index] = float(max(evidence, default=0.0))
            track.seen[index] = by_id[key]
    return measured, tracks


def believed_tracks(tracks: dict[int, ClipTrack], settings: TrackSettings) -> list[int]:
    """Ids of the tracks that gathered enough."""
    return [
        number
        for number, track in sorted(tracks.items())
        if sum(track.evidence.values()) >= settings.minimum_track_evidence
        and len(track.evidence) >= settings.minimum_track_frames
    ]


def clip_masks(
    frames: Sequence[SeenFrame], settings: TrackSettings
) -> tuple[list[IdMap], dict[int, ClipTrack]]:
    """Id maps of all frames of one unbroken clip, and the believed tracks that they show."""
    measured, tracks = link_frames(frames)
    kept = believed_tracks(tracks, settings)
    masks = [np.where(np.isin(ids, kept), ids, 0).astype(np.uint16) for ids in measured]
    if settings.propagate and kept:
        measured = masks
        masks = voted_masks(frames, masks, measured)
        if settings.sharpen:
            masks = [sharpened(ids, frame.image) for ids, frame in zip(masks, frames, strict=True)]
            masks = voted_masks(frames, masks, measured)
        masks = steady_masks(frames, masks, measured, settings.minimum_agreement)
        masks = held_masks(frames, masks, settings.longest_halt_s)
    return masks, {number: tracks[number] for number in kept}


def frame_segments(
    frames: Sequence[SeenFrame],
    index: int,
    ids: IdMap,
    tracks: dict[int, ClipTrack],
    number_of: dict[int, int],
) -> MotionSegments:
    """One frame's id map with its table under final ids.

    Where a track was not measured its place comes from its mask and its velocity is unknown (NaN).
    """
    numbers = np.zeros(int(ids.max(initial=0)) + 1, np.uint16)
    numbers[[track for track in number_of if track < len(numbers)]] = [
        number for track, number in number_of.items() if track < len(numbers)
    ]
    instances = numbers[ids]
    track_of = {number: track for track, number in number_of.items()}
    objects = []
    for number, (area, box) in areas_and_boxes(instances).items():
        track = tracks[track_of[number]]
        evidence = float(np.mean(list(track.evidence.values())))
        seen = track.seen.get(index)
        if seen is None:
            centroid = _centroid(frames[index], instances == number)
            velocity = np.full(3, np.nan)
        else:
            centroid, velocity = seen.centroid_m, seen.velocity_mps
        age = sum(1 for frame in track.seen if frame <= index)
        score = 1.0 - math.exp(-evidence)
        objects.append(MovingObject(number, score, area, box, centroid, velocity, max(age, 1)))
    return MotionSegments(instances, tuple(objects))


def _centroid(frame: SeenFrame, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median place of a mask, metres, NaN where no disparity is known."""
    rows, columns = np.nonzero(mask)
    disparity = frame.disparity[mask].astype(np.float64)
    known = disparity > 0
    if not known.any():
        return np.full(3, np.nan)
    rig = frame.rig
    depth = rig.focal_baseline / float(np.median(disparity[known]))
    x, y = float(np.median(columns[known])), float(np.median(rows[known]))
    return depth * np.array([(x - rig.cx) / rig.fx, (y - rig.cy) / rig.fy, 1.0])


def direction_agreement(views: Sequence[View], segments: MotionSegments) -> float:
    """Mean over the objects and the two directions of time of the IoU with what was found there.

    A direction that finds nothing at the object counts 0; one that has no view does not count. NaN
    without objects or views.
    """
    agreements = []
    for towards in (-1, 1):
        found = [view.segments.instances for view in views if view.offset * towards > 0]
        if not found:
            continue
        for item in segments.objects:
            mask = segments.instances == item.id
            agreements.append(max(_best_iou(mask, instances) for instances in found))
    return float(np.mean(agreements)) if agreements else math.nan


def _best_iou(mask: NDArray[np.bool_], instances: IdMap) -> float:
    """IoU of a mask with all objects together that lie more than half inside it."""
    sizes = np.bincount(instances.ravel())
    inside = np.bincount(instances[mask], minlength=len(sizes))
    inside[0] = 0
    mine = inside > 0.5 * sizes
    both = float(inside[mine].sum())
    return both / (float(mask.sum()) + float(sizes[mine].sum()) - both)
