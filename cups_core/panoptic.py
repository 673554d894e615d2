"""The panoptic result that leaves the software: a segment map and the table of its segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

VOID_SEGMENT = 0
UNKNOWN_CLASS = 65535


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment of a panoptic map.

    Attributes:
        id: its value in the segment map, 1 to 65535.
        class_id: 0 to 65534, or `UNKNOWN_CLASS` where nothing has named it yet.
        class_name: for people; empty where unknown.
        is_thing: countable object (True) or stuff.
        score: confidence, 0 to 1.
        area_px: number of pixels.
        box: (left, top, width, height), pixels.
        track_id: stable id over time, 0 = not tracked.
        centroid_m: float64 (3,), camera frame, metres, NaN where unknown.
        velocity_mps: float64 (3,), over ground in the camera frame, m/s, NaN where unknown.
    """

    id: int
    class_id: int
    class_name: str
    is_thing: bool
    score: float
    area_px: int
    box: tuple[int, int, int, int]
    track_id: int
    centroid_m: NDArray[np.float64]
    velocity_mps: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PanopticMap:
    """Segment map and table.

    Attributes:
        segments: uint16 (H, W), 0 = void.
        table: one entry per id in the map, ascending by id.

    Raises:
        InputError: map and table do not list the same ids.
    """

    segments: NDArray[np.uint16]
    table: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if self.segments.ndim != 2 or self.segments.dtype != np.uint16:
            raise InputError(
                "segment map: expected uint16 (H, W), "
                f"found {self.segments.dtype} {self.segments.shape}"
            )
        present = np.flatnonzero(np.bincount(self.segments.ravel()))
        listed = [segment.id for segment in self.table]
        if [int(i) for i in present if i != VOID_SEGMENT] != listed:
            raise InputError(
                f"segment map holds ids {present[present > 0].tolist()}, the table lists {listed}"
            )
