"""Where heads and number plates really are in both pictures of a synthetic drive.

The privacy benchmark judges zones of labels with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_training.privacy.regions import Side
from cups_training.synthetic.camera import Camera
from cups_training.synthetic.casting import MISSED
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.rendering import cast_pixels

# Chin over top of the head, hair and helmet included, as the bodies are built.
CHIN_SHARE = 0.85
# The bodies carry no plates: the surface where one would hang.
PLATE_HALF_WIDTH_M = 0.26
PLATE_HEIGHT_M = (0.4, 0.55)
PLATE_DEPTH_M = 0.15
# With fewer visible pixels nobody is recognised and nothing is read.
FEWEST_PX = 40


@dataclass(frozen=True, eq=False)
class Private:
    """A head or a plate in one picture.

    Attributes:
        kind: head or plate.
        actor: number of the body.
        moves: whether it moves over ground in this frame.
        pixels: bool (H, W).
    """

    kind: str
    actor: int
    moves: bool
    pixels: NDArray[np.bool_]


class PrivateThings:
    """Finds heads and plates of a drive.

    Args:
        drive: with its scene.
    """

    def __init__(self, drive: SyntheticDrive) -> None:
        self._drive = drive
        surfaces = drive.scene.surfaces
        # Corners of each triangle in the frame of its body at rest.
        self._rest = np.zeros((len(surfaces.instance), 3, 3), np.float32)
        for number, actor in enumerate(drive.scene.actors, start=1):
            limbs = [limb.mesh.corners for limb in actor.body.limbs]
            self._rest[surfaces.instance == number] = np.concatenate(limbs)

    def of(self, index: int, side: Side) -> list[Private]:
        """All with enough visible pixels in one picture, as the real cameras see them."""
        drive, surfaces = self._drive, self._drive.scene.surfaces
        sensor = drive.sensors[side == "right"]
        time = index / drive.settings.rate_hz
        snapshot = drive.scene.at(time + sensor.delay_s)
        camera = Camera(drive.rig, snapshot.camera)
        if side == "right":
            camera = camera.right_neighbour(sensor.roll_rad, sensor.row_offset_px)
        hits = cast_pixels(snapshot, camera)
        seen = np.where(hits.triangle == MISSED, 0, hits.triangle)
        actor = np.where(hits.triangle == MISSED, 0, surfaces.instance[seen])
        weights = np.stack([1 - hits.u - hits.v, hits.u, hits.v], axis=1)
        place = np.einsum("nk,nkd->nd", weights, self._rest[seen])
        found = []
        for number in np.unique(actor[actor > 0]).tolist():
            inside = actor == number
            kind, there = self._private(number, surfaces.semantic[seen], place, inside)
            if there.sum() >= FEWEST_PX:
                body = drive.scene.actors[number - 1]
                moves = bool(np.linalg.norm(body.velocity(time)) > 0.05)
                found.append(Private(kind, number, moves, there.reshape(drive.rig.shape)))
        return found

    def _private(
        self,
        number: int,
        semantic: NDArray[np.uint8],
        place: NDArray[np.float32],
        inside: NDArray[np.bool_],
    ) -> tuple[str, NDArray[np.bool_]]:
        corners = self._rest[self._drive.scene.surfaces.instance == number]
        x, y, z = place.T
        if self._drive.scene.actors[number - 1].body.kind in ("car", "van"):
            end = float(np.abs(corners[..., 0]).max()) - PLATE_DEPTH_M
            low, high = PLATE_HEIGHT_M
            hangs = (np.abs(x) > end) & (np.abs(y) < PLATE_HALF_WIDTH_M) & (z > low) & (z < high)
            return "plate", inside & hangs
        is_person = (semantic == StreetClass.PERSON) | (semantic == StreetClass.RIDER)
        return "head", inside & is_person & (z > CHIN_SHARE * float(corners[..., 2].max()))
