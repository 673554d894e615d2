"""Boxes around what stands at a given height over the road: where heads and number plates can be.

The label zones call it with the pixels that may belong to people, or to vehicles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.ground_plane import GroundPlane
from cups_core.rig import StereoRig
from cups_training.privacy.regions import Region, Side

Values = TypeVar("Values", float, NDArray[np.float64])

CELL_PX = 8
FEWEST_PX_OF_CELL = 16
# What lies lower belongs to the road; people and cars end at the top of what they can hide.
LOWEST_BODY_M = 0.25
# Cells whose disparity differs by less stand side by side.
LAYER_RATIO = 1.12


@dataclass(frozen=True)
class Band:
    """Heights over the road in which something private can be.

    Attributes:
        lowest_m: its lower end.
        highest_m: its upper end.
        thing_m: height of the head or plate itself.
        aside_m: how far it may stick out beside what is known of the body.
        smallest_px: it is not readable where it is lower than this, pixels.
        kind: of the regions.
    """

    lowest_m: float
    highest_m: float
    thing_m: float
    aside_m: float
    smallest_px: float
    kind: str


@dataclass(frozen=True, eq=False)
class Geometry:
    """What stereo knows of a frame.

    Attributes:
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        ground: the road.
        rig: calibration.
    """

    disparity: NDArray[np.float32]
    ground: GroundPlane
    rig: StereoRig

    def pixels_per_m(self, disparity: Values) -> Values:
        """Height in the picture of a metre at a disparity, pixels."""
        return disparity * self.rig.fy / self.rig.focal_baseline

    def road_row(self, column: Values, disparity: Values) -> Values:
        """Row where the road has this disparity."""
        ground = self.ground
        return (disparity - ground.offset - ground.slope_x * column) / ground.slope_y


def zones(body: NDArray[np.bool_], geometry: Geometry, band: Band, side: Side) -> Iterator[Region]:
    """Boxes over the band of heights wherever something of a body stands.

    A mask often holds a part of a person only, legs or trunk: where any part of a body stands, its
    head is somewhere in the band above the road there.

    Args:
        body: bool (H, W), pixels of the left picture that may belong to a body.
        geometry: of the frame.
        band: heights.
        side: picture whose pixels the regions are in.
    """
    disparity = _cells(body, geometry.disparity)
    rows, columns = np.nonzero(disparity)
    found = disparity[rows, columns].astype(np.float64)
    x, y = ((index.astype(np.float64) + 0.5) * CELL_PX for index in (columns, rows))
    pixels_per_m = geometry.pixels_per_m(found)
    height = (geometry.road_row(x, found) - y) / pixels_per_m
    stands = (height > LOWEST_BODY_M) & (height < band.highest_m)
    stands &= band.thing_m * pixels_per_m >= band.smallest_px
    layer = np.floor(np.log(np.maximum(found, 1)) / math.log(LAYER_RATIO)).astype(np.int64)
    for number in np.unique(layer[stands]).tolist():
        own = stands & (layer == number)
        for start, stop in _runs(columns[own]):
            inside = own & (columns >= start) & (columns < stop)
            yield _zone(start * CELL_PX, stop * CELL_PX, found[inside], geometry, band, side)


def _cells(body: NDArray[np.bool_], disparity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median disparity of the body pixels in each cell, 0 where they are too few."""
    height, width = (size // CELL_PX * CELL_PX for size in body.shape)
    cells = (height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX)
    known = np.where(body & (disparity > 0), disparity, np.float32(np.nan))
    values = known[:height, :width].reshape(cells).swapaxes(1, 2).reshape(*cells[::2], -1)
    enough = np.isfinite(values).sum(axis=2) >= FEWEST_PX_OF_CELL
    result = np.zeros(cells[::2], np.float32)
    result[enough] = np.nanmedian(values[enough], axis=1)
    return result


def _runs(columns: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First column and the one after the last of each run without a gap."""
    present = np.unique(columns)
    ends = np.flatnonzero(np.diff(present) > 1)
    for part in np.split(present, ends + 1):
        yield int(part[0]), int(part[-1]) + 1


def _zone(
    left: float,
    right: float,
    disparities: NDArray[np.float64],
    geometry: Geometry,
    band: Band,
    side: Side,
) -> Region:
    near, far = float(disparities.max()), float(disparities.min())
    aside = band.aside_m * geometry.pixels_per_m(near)
    left, right = left - aside, right + aside
    middle = (left + right) / 2
    corners = [
        geometry.road_row(middle, at) - height * geometry.pixels_per_m(at)
        for at in (near, far)
        for height in (band.lowest_m, band.highest_m)
    ]
    if side == "right":
        left, right = left - near, right - far
    top, bottom = min(corners), max(corners)
    return Region(left, top, right - left, bottom - top, band.kind, 1.0)
