"""Moving objects of one frame: instance map and object table; the segmenters' answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError

Box = tuple[int, int, int, int]


@kernel
def _measure(instances: NDArray[np.uint16], table: NDArray[np.int64]) -> None:
    """Area and bounds of every id, in one pass over the map.

    Args:
        instances: uint16 (H, W).
        table: int64 (largest id + 1, 5), zeros; becomes area, left, top, right and bottom
            (inclusive) of each id.
    """
    for y in range(instances.shape[0]):
        for x in range(instances.shape[1]):
            row = table[instances[y, x]]
            if row[0] == 0:
                row[1], row[2], row[3] = x, y, x
            row[0] += 1
            row[1] = min(row[1], x)
            row[3] = max(row[3], x)
            row[4] = y


def areas_and_boxes(instances: NDArray[np.uint16]) -> dict[int, tuple[int, Box]]:
    """Area in pixels and box of each object in an instance map, by id, ascending."""
    table = np.zeros((int(instances.max(initial=0)) + 1, 5), np.int64)
    _measure(instances, table)
    return {
        number: (
            int(area),
            (int(left), int(top), int(right - left) + 1, int(bottom - top) + 1),
        )
        for number, (area, left, top, right, bottom) in enumerate(table)
        if number > 0 and area > 0
    }


def enlarged(
    instances: NDArray[np.uint16], factor: int, height: int, width: int
) -> NDArray[np.uint16]:
    """The map with each pixel repeated `factor` times both ways, cut to (height, width)."""
    if factor == 1:
        return instances
    size = (instances.shape[1] * factor, instances.shape[0] * factor)
    large = cv2.resize(instances, size, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(large[:height, :width])


@dataclass(frozen=True, eq=False)
class MovingObject:
    """One object whose motion ego-motion does not explain.

    Attributes:
        id: its value in the instance map; after tracking this is the track id.
        score: evidence that it moves, 0 to 1.
        area_px: its number of pixels.
        box: (left, top, width, height), pixels.
        centroid_m: float64 (3,), median position in the camera frame at t, metres, NaN where depth
            is unknown.
        velocity_mps: float64 (3,), velocity over ground expressed in the camera frame at t, m/s,
            NaN where unknown.
        age: number of frames in which the track has been seen, 1 before tracking.
        consistency: share of the runs of an ensemble that found it, 0 to 1, mean over its pixels;
            NaN where it was found by one attempt.
    """

    id: int
    score: float
    area_px: int
    box: Box
    centroid_m: NDArray[np.float64]
    velocity_mps: NDArray[np.float64]
    age: int = 1
    consistency: float = math.nan

    @property
    def speed_mps(self) -> float:
        """Speed over ground, m/s, NaN where unknown."""
        return float(np.linalg.norm(self.velocity_mps))


@dataclass(frozen=True, eq=False)
class MotionSegments:
    """Instance map of the left image at t and the table of its objects.

    Attributes:
        instances: uint16 (H, W), 0 = not moving, otherwise the id of an object.
        objects: one entry per id in the map, ascending.

    Raises:
        InputError: an id is in the map and not in the table or the other way round.
    """

    instances: NDArray[np.uint16]
    objects: tuple[MovingObject, ...]

    def __post_init__(self) -> None:
        if self.instances.ndim != 2 or self.instances.dtype != np.uint16:
            raise InputError(
                "instance map: expected uint16 (H, W), "
                f"found {self.instances.dtype} {self.instances.shape}"
            )
        present = list(areas_and_boxes(self.instances))
        listed = [item.id for item in self.objects]
        if present != listed:
            raise InputError(f"instance map holds ids {present}, the table lists {listed}")
