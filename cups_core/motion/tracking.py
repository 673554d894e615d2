"""Carries moving objects from frame to frame.

Masks are propagated by flow, ids stay, velocities are smoothed.

The online chain gives it each frame's segments; what it returns is what people see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes
from cups_core.settings import setting

LARGEST_ID = 65535
MATCH_IOU = 0.2
# A detection that covers this much of two tracks has run them together; one that lies to this much
# in a track's mask is a piece of it.
SHARED_COVER = 0.4
PIECE_COVER = 0.5
VELOCITY_GAIN = 0.4
SAME_SURFACE = 0.35

IdMap = NDArray[np.uint16]


@dataclass(frozen=True)
class TrackingSettings:
    """When a track is shown and when it is given up."""

    confirm_evidence: float = setting(
        2.0,
        "evidence that a track gathers before it is shown: a sure object has it at once, a "
        "doubtful one after three "
        "frames",
        minimum=0.0,
        maximum=20.0,
    )
    hold_frames: int = setting(
        3,
        "frames for which a shown object keeps its propagated mask while it is not found",
        minimum=0,
        maximum=100,
    )
    remember_frames: int = setting(
        10,
        "frames after which an object that was hidden gets its id back where its motion would have "
        "taken it",
        minimum=0,
        maximum=100,
    )


@dataclass(frozen=True, eq=False)
class _Track:
    """A followed object.

    Attributes:
        seen: how it was last seen, with smoothed velocity; the centroid goes on with it while the
            object is missing.
        evidence: gathered so far, -log(1 - score) per frame in which it was found.
        missing: frames since it was last found.
    """

    seen: MovingObject
    evidence: float
    missing: int


@kernel
def _propagated(
    previous: IdMap,
    previous_disparity: NDArray[np.float32],
    disparity: NDArray[np.float32],
    flow: NDArray[np.float32],
    out: IdMap,
) -> None:
    """Ids of the previous frame at the place where flow says that each pixel came from.

    0 outside the image, and where the surface is another one: flow that went astray must not carry
    a mask along.
    """
    height, width = previous.shape
    for y in range(height):
        for x in range(width):
            column, row = int(np.rint(x + flow[y, x, 0])), int(np.rint(y + flow[y, x, 1]))
            if not (0 <= column < width and 0 <= row < height):
                continue
            before, now = previous_disparity[row, column], disparity[y, x]
            known = before > 0 and now > 0
            if not known or abs(now - before) < max(3.0, SAME_SURFACE * max(now, before)):
                out[y, x] = previous[row, column]


@kernel
def _overlap(
    tracks: IdMap, found: IdMap, index_of_track: NDArray[np.int64], table: NDArray[np.int64]
) -> None:
    for y in range(tracks.shape[0]):
        for x in range(tracks.shape[1]):
            if tracks[y, x] > 0 or found[y, x] > 0:
                table[index_of_track[tracks[y, x]], found[y, x]] += 1


class Tracker:
    """Gives each object one id for as long as it is visible."""

    def __init__(self, settings: TrackingSettings = TrackingSettings()) -> None:
        self._settings = settings
        self._last_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets all tracks; ids go on, so that an id never names two objects."""
        self._tracks: dict[int, _Track] = {}
        self._hidden: dict[int, _Track] = {}
        self._map: IdMap | None = None
        self._disparity: NDArray[np.float32] | None = None

    def propagate(self, flow: NDArray[np.float32], disparity: NDArray[np.float32]) -> IdMap:
        """Where the tracks are in the new frame as far as flow tells, uint16 (H, W), 0 = none.

        Args:
            flow: float32 (H, W, 2), from the new frame to the previous one, pixels.
            disparity: float32 (H, W), of the new frame, pixels, 0 = unknown.
        """
        carried = np.zeros(flow.shape[:2], np.uint16)
        if self._map is not None and self._disparity is not None and self._tracks:
            _propagated(self._map, self._disparity, disparity, flow, carried)
        self._disparity = disparity
        return carried

    def update(
        self,
        segments: MotionSegments,
        carried: IdMap,
        ego_motion: RigidTransform,
        interval_s: float,
    ) -> MotionSegments:
        """The frame's objects under their track ids.

        Args:
            segments: what the segmenter found; its ids count 1 to N.
            carried: what `propagate` returned for this frame.
            ego_motion: takes points from the previous camera's frame into this camera's frame.
            interval_s: time since the previous frame, seconds.

        Returns:
            Confirmed objects only, those included that were not found again but are held by
            propagation.

        Raises:
            InputError: the segments' ids leave numbers out.
        """
        numbers = [item.id for item in segments.objects]
        if numbers != list(range(1, len(numbers) + 1)):
            raise InputError(
                f"segments to track: expected ids 1 to {len(numbers)}, found {numbers}"
            )
        before = {
            key: _moved_on(track, ego_motion, interval_s) for key, track in self._tracks.items()
        }
        hidden = {
            key: _moved_on(track, ego_motion, interval_s) for key, track in self._hidden.items()
        }
        ids = sorted(before)
        index_of = np.zeros(LARGEST_ID + 1, np.int64)
        index_of[ids] = np.arange(1, len(ids) + 1)
        found = segments.instances
        table = np.zeros((len(ids) + 1, len(segments.objects) + 1), np.int64)
        _overlap(carried, found, index_of, table)
        new_map = np.zeros_like(found)
        tracks: dict[int, _Track] = {}
        owner = _assign(table)
        confirmed = [row for row, key in enumerate(ids, start=1) if self._is_confirmed(before[key])]
        for column, item in enumerate(segments.objects, start=1):
            mask = found == item.id
            together = _run_together(table, column, owner[column], confirmed)
            if len(together) > 1:
                members = [ids[row - 1] for row in together]
                new_map[mask] = _nearest_ids(carried, members, mask)
                # What was measured of both at once is true of neither: they keep what was known of
                # them.
                tracks.update({key: replace(before[key], missing=0) for key in members})
            elif owner[column]:
                key = ids[owner[column] - 1]
                new_map[mask] = key
                # A smaller piece of the same object adds its pixels, not its measurements.
                if key not in tracks or tracks[key].seen.area_px < item.area_px:
                    tracks[key] = _found_again(before[key], item)
            else:
                key = _recognised(hidden, item) or self._next_id()
                new_map[mask] = key
                tracks[key] = (
                    _found_again(hidden.pop(key), item)
                    if key in hidden
                    else _Track(item, _evidence(item), 0)
                )
        for key in ids:
            held = before[key]
            if key in tracks or not self._is_confirmed(held):
                continue
            left = (carried == key) & (new_map == 0)
            # Half of the mask must still be there, or the object has left or was covered.
            if held.missing <= self._settings.hold_frames and left.sum() > 0.5 * held.seen.area_px:
                new_map[left] = key
                tracks[key] = held
            else:
                hidden[key] = held
        self._hidden = {
            key: track
            for key, track in hidden.items()
            if track.missing <= self._settings.remember_frames
        }
        self._tracks, self._map = _measured(tracks, new_map), new_map
        return self._shown(new_map)

    def _next_id(self) -> int:
        self._last_id = self._last_id % LARGEST_ID + 1
        return self._last_id

    def _is_confirmed(self, track: _Track) -> bool:
        return track.evidence >= self._settings.confirm_evidence

    def _shown(self, new_map: IdMap) -> MotionSegments:
        shown = {key: track for key, track in self._tracks.items() if self._is_confirmed(track)}
        visible = np.zeros(LARGEST_ID + 1, np.uint16)
        visible[list(shown)] = list(shown)
        return MotionSegments(visible[new_map], tuple(shown[key].seen for key in sorted(shown)))


def _evidence(item: MovingObject) -> float:
    return float(-np.log(max(1.0 - item.score, 1e-6)))


def _moved_on(track: _Track, ego_motion: RigidTransform, interval_s: float) -> _Track:
    """The track one frame later if nothing is seen of it.

    Dead reckoning in the new camera's frame.
    """
    velocity = ego_motion.rotation @ track.seen.velocity_mps
    centroid = ego_motion.apply(track.seen.centroid_m) + velocity * interval_s
    seen = replace(track.seen, centroid_m=centroid, velocity_mps=velocity)
    return replace(track, seen=seen, missing=track.missing + 1)


def _found_again(track: _Track, item: MovingObject) -> _Track:
    before = track.seen
    velocity = before.velocity_mps + VELOCITY_GAIN * (item.velocity_mps - before.velocity_mps)
    seen = replace(item, velocity_mps=velocity, age=before.age + 1)
    return _Track(seen, track.evidence + _evidence(item), 0)


def _recognised(hidden: dict[int, _Track], item: MovingObject) -> int:
    """Id of the hidden track that would be where `item` is now and moves as it does, 0 = none."""
    best, least = 0, 1.0
    for key, track in sorted(hidden.items()):
        away = np.abs(track.seen.centroid_m - item.centroid_m)
        depth = item.centroid_m[2]
        # Depth from stereo is much less sure than direction; of a half hidden object the centroid
        # is off by its size.
        distance = max(away[0] / (2.0 + 0.05 * depth), away[2] / (2.0 + 0.2 * depth))
        turned = np.hypot(*((track.seen.velocity_mps - item.velocity_mps)[[0, 2]] * (1.0, 0.5)))
        if turned < 2.0 + 0.5 * max(track.seen.speed_mps, item.speed_mps) and distance < least:
            best, least = key, float(distance)
    return best


def _assign(table: NDArray[np.int64]) -> list[int]:
    """Row (track) of each column (detection), 0 = none.

    Best total IoU, then pieces go to the track they lie in.
    """
    owner = [0] * table.shape[1]
    inter = table[1:, 1:]
    union = table[1:].sum(1)[:, None] + table[:, 1:].sum(0)[None] - inter
    iou = inter / np.maximum(union, 1)
    for track, detection in zip(*linear_sum_assignment(-iou), strict=True):
        if iou[track, detection] > MATCH_IOU:
            owner[detection + 1] = int(track) + 1
    for column in range(1, table.shape[1]):
        if not owner[column] and len(inter):
            row = int(inter[:, column - 1].argmax())
            if inter[row, column - 1] > PIECE_COVER * table[:, column].sum():
                owner[column] = row + 1
    return owner


def _run_together(
    table: NDArray[np.int64], column: int, owner: int, confirmed: list[int]
) -> list[int]:
    """Rows of the confirmed tracks that one detection covers together with its owner."""
    sizes, size = table.sum(1), table[:, column].sum()
    rows = [
        row
        for row in confirmed
        # A small remnant beside a large owner is no second object.
        if table[row, column] > SHARED_COVER * sizes[row]
        and (row == owner or table[row, column] > 0.15 * size)
    ]
    return rows if owner in rows else []


def _measured(tracks: dict[int, _Track], new_map: IdMap) -> dict[int, _Track]:
    """Tracks with area and box of their masks; those without a pixel are given up."""
    result = {}
    for key, (area, box) in areas_and_boxes(new_map).items():
        seen = replace(tracks[key].seen, id=key, area_px=area, box=box)
        result[key] = replace(tracks[key], seen=seen)
    return result


def _nearest_ids(carried: IdMap, ids: list[int], mask: NDArray[np.bool_]) -> IdMap:
    """Ids for the pixels of `mask`.

    That of the nearest pixel which one of the tracks `ids` claims.
    """
    distances = [
        cv2.distanceTransform((carried != track_id).astype(np.uint8), cv2.DIST_L2, 3)[mask]
        for track_id in ids
    ]
    nearest: NDArray[np.int64] = np.argmin(distances, axis=0)
    return np.array(ids, np.uint16)[nearest]
