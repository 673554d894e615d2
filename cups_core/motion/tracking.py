"""Carries moving objects from frame to frame: masks are propagated by flow, ids stay, velocities are smoothed.

The online chain gives it each frame's segments; what it returns is what people see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.settings import setting

LARGEST_ID = 65535
MATCH_IOU = 0.2
# A detection that covers this much of two tracks has run them together; one that lies to this much in a track's
# mask is a piece of it.
SHARED_COVER = 0.4
PIECE_COVER = 0.5
VELOCITY_GAIN = 0.4

IdMap = NDArray[np.uint16]


@dataclass(frozen=True)
class TrackingSettings:
    """When a track is shown and when it is given up."""

    confirm_frames: int = setting(
        2, "frames in which an object must be found before it is shown", minimum=1, maximum=10
    )
    hold_frames: int = setting(
        3,
        "frames for which a shown object keeps its propagated mask while it is not found",
        minimum=0,
        maximum=100,
    )


@dataclass(frozen=True, eq=False)
class _Track:
    """A followed object: how it was last seen, in how many frames it was found, and for how many it has been missing."""

    seen: MovingObject
    found: int
    missing: int


@nb.njit(cache=True, nogil=True)
def _propagated(previous: IdMap, flow: NDArray[np.float32], out: IdMap) -> None:
    """Ids of the previous frame at the place where flow says that each pixel came from; 0 outside the image."""
    height, width = previous.shape
    for y in range(height):
        for x in range(width):
            column, row = int(np.rint(x + flow[y, x, 0])), int(np.rint(y + flow[y, x, 1]))
            inside = 0 <= column < width and 0 <= row < height
            out[y, x] = previous[row, column] if inside else 0


@nb.njit(cache=True, nogil=True)
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
        self._tracks: dict[int, _Track] = {}
        self._map: IdMap | None = None

    def reset(self) -> None:
        """Forgets all tracks; ids go on, so that an id never names two objects."""
        self._tracks = {}
        self._map = None

    def propagate(self, flow: NDArray[np.float32]) -> IdMap:
        """Where the tracks are in the new frame as far as flow tells, uint16 (H, W), 0 = none.

        Args:
            flow: float32 (H, W, 2), from the new frame to the previous one, pixels.
        """
        carried = np.zeros(flow.shape[:2], np.uint16)
        if self._map is not None and self._tracks:
            _propagated(self._map, flow, carried)
        return carried

    def update(self, segments: MotionSegments, carried: IdMap) -> MotionSegments:
        """The frame's objects under their track ids.

        Args:
            segments: what the segmenter found.
            carried: what `propagate` returned for this frame.

        Returns:
            Confirmed objects only, those included that were not found again but are held by propagation.
        """
        ids = sorted(self._tracks)
        index_of = np.zeros(LARGEST_ID + 1, np.int64)
        index_of[ids] = np.arange(1, len(ids) + 1)
        found = segments.instances
        objects = segments.objects
        table = np.zeros((len(ids) + 1, len(objects) + 1), np.int64)
        _overlap(carried, found, index_of, table)
        new_map = np.zeros_like(found)
        tracks: dict[int, _Track] = {}
        owner = self._assign(table)
        for column, item in enumerate(objects, start=1):
            mask = found == item.id
            rows = self._run_together(table, column, owner[column])
            if len(rows) > 1:
                new_map[mask] = _nearest_ids(carried, [ids[row - 1] for row in rows], mask)
                for row in rows:
                    self._keep(tracks, ids[row - 1], item)
            elif owner[column]:
                new_map[mask] = ids[owner[column] - 1]
                self._keep(tracks, ids[owner[column] - 1], item)
            else:
                self._last_id = self._last_id % LARGEST_ID + 1
                tracks[self._last_id] = _Track(item, 1, 0)
                new_map[mask] = self._last_id
        for track_id in ids:
            held = self._tracks[track_id]
            if (
                track_id not in tracks
                and self._is_confirmed(held)
                and held.missing < self._settings.hold_frames
            ):
                left = (carried == track_id) & (new_map == 0)
                # Half of the mask must still be there, or the object has left or was covered.
                if left.sum() > 0.5 * held.seen.area_px:
                    new_map[left] = track_id
                    tracks[track_id] = replace(held, missing=held.missing + 1)
        self._tracks, self._map = self._measured(tracks, new_map), new_map
        return self._shown()

    def _assign(self, table: NDArray[np.int64]) -> list[int]:
        """Row (track) of each column (detection), 0 = none: best total IoU, then pieces go to the track they lie in."""
        owner = [0] * table.shape[1]
        inter = table[1:, 1:]
        union = table[1:].sum(1)[:, None] + table[:, 1:].sum(0)[None] - inter
        iou = inter / np.maximum(union, 1)
        for row, column in zip(*linear_sum_assignment(-iou), strict=True):
            if iou[row, column] > MATCH_IOU:
                owner[column + 1] = int(row) + 1
        for column in range(1, table.shape[1]):
            if not owner[column] and len(inter):
                row = int(inter[:, column - 1].argmax())
                if inter[row, column - 1] > PIECE_COVER * table[:, column].sum():
                    owner[column] = row + 1
        return owner

    def _run_together(self, table: NDArray[np.int64], column: int, owner: int) -> list[int]:
        """Rows of the confirmed tracks that one detection covers together."""
        sizes = table.sum(1)
        rows = [
            row
            for row, track_id in enumerate(sorted(self._tracks), start=1)
            if self._is_confirmed(self._tracks[track_id])
            and table[row, column] > SHARED_COVER * sizes[row]
        ]
        # A small remnant beside a large owner is no second object.
        shares = [
            row
            for row in rows
            if row == owner or table[row, column] > 0.15 * table[:, column].sum()
        ]
        return shares if owner in shares else []

    def _keep(self, tracks: dict[int, _Track], track_id: int, item: MovingObject) -> None:
        before = self._tracks[track_id]
        if track_id in tracks and tracks[track_id].seen.area_px >= item.area_px:
            return  # a smaller piece of the same object adds its pixels, not its measurements
        velocity = before.seen.velocity_mps + VELOCITY_GAIN * (
            item.velocity_mps - before.seen.velocity_mps
        )
        tracks[track_id] = _Track(replace(item, velocity_mps=velocity), before.found + 1, 0)

    def _is_confirmed(self, track: _Track) -> bool:
        return track.found >= self._settings.confirm_frames

    def _measured(self, tracks: dict[int, _Track], new_map: IdMap) -> dict[int, _Track]:
        """Tracks with area and box of their masks; those without a pixel are given up."""
        areas = np.bincount(new_map.ravel(), minlength=LARGEST_ID + 1)
        result = {}
        for track_id, track in tracks.items():
            if areas[track_id]:
                rows, columns = np.nonzero(new_map == track_id)
                left, top = int(columns.min()), int(rows.min())
                box = (left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
                seen = replace(track.seen, id=track_id, area_px=len(rows), box=box, age=track.found)
                result[track_id] = replace(track, seen=seen)
        return result

    def _shown(self) -> MotionSegments:
        assert self._map is not None
        shown = {
            number: track for number, track in self._tracks.items() if self._is_confirmed(track)
        }
        visible = np.zeros(LARGEST_ID + 1, np.uint16)
        visible[list(shown)] = list(shown)
        return MotionSegments(
            visible[self._map], tuple(shown[number].seen for number in sorted(shown))
        )


def _nearest_ids(carried: IdMap, ids: list[int], mask: NDArray[np.bool_]) -> IdMap:
    """Ids for the pixels of `mask`: that of the nearest pixel which one of the tracks `ids` claims."""
    distances = [
        cv2.distanceTransform((carried != track_id).astype(np.uint8), cv2.DIST_L2, 3)[mask]
        for track_id in ids
    ]
    return np.array(ids, np.uint16)[np.argmin(distances, axis=0)]
