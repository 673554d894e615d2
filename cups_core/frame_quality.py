"""How good a picture is to learn from: sharpness, exposure and a thumbnail to compare it by.

Extraction measures every frame that it reads, the vehicle's harvest node every frame that it sees.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.thumbnail import CELLS, HEIGHT, WIDTH, changed_cells, thumbnail_of

CRUSHED, SATURATED = 6, 249
"""Gray levels up to and from which a pixel tells nothing any more."""

_WORKING_WIDTH_PX = 640
_TILE_PX = 16
# A tile whose gray levels differ by less (sky, road, shadow) has no edge to judge by.
_EDGE_LEVELS = 24
_FEWEST_TILES = 8
_STEPS = 1000
_SMOOTHING = 4


@dataclass(frozen=True)
class FrameQuality:
    """One picture.

    Attributes:
        sharpness: how much of its height a sharp edge climbs from one pixel to the next, in a
            picture of about 640 columns: 0.45 to 1 in focus, below 0.25 where edges are 4 pixels
            wide, 0 where there are none. The lower of the values along rows and columns, since
            motion blurs one direction. Gain, size, noise and the share of sky hardly matter.
        brightness: mean, 0 to 1.
        dark_share: share of crushed pixels (at most 6 of 255).
        bright_share: share of saturated pixels (at least 249 of 255).
        thumbnail: mean gray levels of 32x18 cells, row by row.
    """

    sharpness: float
    brightness: float
    dark_share: float
    bright_share: float
    thumbnail: bytes

    @property
    def cells(self) -> NDArray[np.uint8]:
        """The thumbnail as uint8 (18, 32)."""
        return np.frombuffer(self.thumbnail, np.uint8).reshape(HEIGHT, WIDTH)

    def row(self) -> dict[str, Any]:
        """As a line of JSON holds it."""
        return {
            "sharpness": self.sharpness,
            "brightness": self.brightness,
            "dark_share": self.dark_share,
            "bright_share": self.bright_share,
            "thumbnail": base64.b64encode(self.thumbnail).decode("ascii"),
        }

    @staticmethod
    def from_row(row: Mapping[str, Any]) -> FrameQuality:
        """What `row` wrote; other entries of the line do not matter.

        Raises:
            InputError: an entry is missing or has another type.
        """
        try:
            thumbnail = base64.b64decode(row["thumbnail"], validate=True)
            if len(thumbnail) != CELLS:
                raise ValueError(f"a thumbnail of {len(thumbnail)} bytes")
            return FrameQuality(
                float(row["sharpness"]),
                float(row["brightness"]),
                float(row["dark_share"]),
                float(row["bright_share"]),
                thumbnail,
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as problem:
            raise InputError(
                "frame quality: expected sharpness, brightness, dark_share, bright_share and "
                f"thumbnail ({WIDTH}x{HEIGHT}, base64), {problem!r}; "
                "extract the drive again"
            ) from problem


def measure(gray: NDArray[np.uint8]) -> FrameQuality:
    """The quality of a picture; whole numbers only until the last division, so the same anywhere.

    Args:
        gray: uint8 (H, W).

    Raises:
        InputError: another type or shape, or smaller than 64x36.
    """
    if gray.ndim != 2 or gray.dtype != np.uint8:
        raise InputError(
            f"frame quality: expected gray uint8 (H, W), found {gray.dtype} {gray.shape}"
        )
    height, width = gray.shape
    if width < 2 * WIDTH or height < 2 * HEIGHT:
        raise InputError(f"frame quality: expected at least 64x36 pixels, found {width}x{height}")
    factor = max(1, min(round(width / _WORKING_WIDTH_PX), height // (2 * HEIGHT)))
    small, total, dark, bright = _reduced(np.ascontiguousarray(gray), factor)
    return FrameQuality(
        min(_along_one_direction(view) for view in (small, np.ascontiguousarray(small.T))),
        round(total / (255 * gray.size), 4),
        round(dark / gray.size, 4),
        round(bright / gray.size, 4),
        thumbnail_of(small).tobytes(),
    )


def difference(before: FrameQuality, after: FrameQuality) -> float:
    """Share of the thumbnail's cells in which something else is seen, 0 to 1.

    A change of exposure or gain of the whole picture is taken off first, and each cell tolerates
    noise and a shift of its contents by about a pixel. A walker 40 m ahead changes 2 of the 576
    cells, driving on changes most.
    """
    return int(changed_cells(before.cells, after.cells)) / CELLS


def _along_one_direction(small: NDArray[np.uint8]) -> float:
    contrast, step = _edges(small, _TILE_PX)
    has_edge = contrast >= _SMOOTHING * _EDGE_LEVELS
    if np.count_nonzero(has_edge) < _FEWEST_TILES:
        return 0.0
    # The stronger half of the edges stands high above the noise.
    strong = contrast >= np.sort(contrast[has_edge])[np.count_nonzero(has_edge) // 2]
    steepness = np.sort(_STEPS * step[strong] // contrast[strong])
    return int(steepness[(len(steepness) - 1) * 3 // 4]) / _STEPS


@kernel
def _reduced(gray: NDArray[np.uint8], factor: int) -> tuple[NDArray[np.uint8], int, int, int]:
    """Means of factor x factor pixels; sum of all levels, count of crushed and saturated pixels."""
    height, width = gray.shape
    small = np.empty((height // factor, width // factor), np.uint8)
    total, dark, bright = 0, 0, 0
    for y in range(height):
        for x in range(width):
            level = gray[y, x]
            total += level
            dark += level <= CRUSHED
            bright += level >= SATURATED
    columns = np.empty(width, np.uint16)
    area = factor * factor
    for y in range(small.shape[0]):
        columns[:] = 0
        for row in range(y * factor, (y + 1) * factor):
            for x in range(width):
                columns[x] += gray[row, x]
        for x in range(small.shape[1]):
            level_sum = 0
            for column in range(x * factor, (x + 1) * factor):
                level_sum += columns[column]
            small[y, x] = (level_sum + area // 2) // area
    return small, total, dark, bright


@kernel
def _edges(small: NDArray[np.uint8], tile: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Contrast of each tile and its steepest step along x, gray levels times `_SMOOTHING`.

    The row with the largest contrast speaks for its tile, smoothed over three rows against noise.
    """
    rows, columns = small.shape[0] // tile, small.shape[1] // tile
    contrast = np.zeros((rows, columns), np.int64)
    step = np.zeros((rows, columns), np.int64)
    line = np.empty(small.shape[1], np.int32)
    for row in range(rows):
        for y in range(row * tile + 1, (row + 1) * tile - 1):
            for x in range(small.shape[1]):
                line[x] = (
                    np.int32(small[y - 1, x])
                    + 2 * np.int32(small[y, x])
                    + np.int32(small[y + 1, x])
                )
            for column in range(columns):
                low = high = line[column * tile]
                steepest = np.int32(0)
                for x in range(column * tile + 1, (column + 1) * tile):
                    low, high = min(low, line[x]), max(high, line[x])
                    steepest = max(steepest, abs(line[x] - line[x - 1]))
                if high - low > contrast[row, column]:
                    contrast[row, column], step[row, column] = high - low, steepest
    return contrast, step
