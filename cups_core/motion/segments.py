"""Moving objects of one frame: instance map and object table; the segmenters' answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

Box = tuple[int, int, int, int]


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
    """

    id: int
    score: float
    area_px: int
    box: Box
    centroid_m: NDArray[np.float64]
    velocity_mps: NDArray[np.float64]
    age: int = 1

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
        present = np.flatnonzero(np.bincount(self.instances.ravel()))
        listed = [item.id for item in self.objects]
        if [int(i) for i in present if i > 0] != listed:
            raise InputError(
                f"instance map holds ids {present[present > 0].tolist()}, the table lists {listed}"
            )
