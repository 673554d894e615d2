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
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError

THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 32, 18
_CELLS = THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT
CRUSHED, SATURATED = 6, 249
"""Gray levels up to and from which a pixel tells nothing any more."""

_WORKING_WIDTH_PX = 640
_TILE_PX = 16
# A tile whose gray levels differ by less (sky, road, shadow) has no edge to judge by.
_EDGE_LEVELS = 24
_FEWEST_TILES = 8
_STEPS = 1000
_SMOOTHING = 4

# What a cell of the thumbnail may differ by while nothing moves: sensor noise and rounding, and
# per level of local contrast what a vibrating engine shifts.
_NOISE_LEVELS = 3
_SHIFT_PERCENT = 6
# Cells beyond these may be clipped in part, and thirds of fewer cells say nothing about exposure.
_CLIPPED_LEVELS = (8, 240)
_FEWEST_CELLS = 12
_SHORTEST_RUN = 16


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
        return np.frombuffer(self.thumbnail, np.uint8).reshape(THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH)

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
            if len(thumbnail) != _CELLS:
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
                f"thumbnail ({THUMBNAIL_WIDTH}x{THUMBNAIL_HEIGHT}, base64), {problem!r}; "
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
    if width < 2 * THUMBNAIL_WIDTH or height < 2 * THUMBNAIL_HEIGHT:
        raise InputError(f"frame quality: expected at least 64x36 pixels, found {width}x{height}")
    factor = max(1, round(width / _WORKING_WIDTH_PX))
    small, total, dark, bright = _reduced(np.ascontiguousarray(gray), factor)
    return FrameQuality(
        min(_along_one_direction(view) for view in (small, np.ascontiguousarray(small.T))),
        round(total / (255 * gray.size), 4),
        round(dark / gray.size, 4),
        round(bright / gray.size, 4),
        _cells(small, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH).tobytes(),
    )


def difference(before: FrameQuality, after: FrameQuality) -> float:
    """Share of the thumbnail's cells in which something else is seen, 0 to 1.

    A change of exposure or gain of the whole picture is taken off first, and each cell tolerates
    noise and a shift of its contents by about a pixel. A walker 40 m ahead changes 2 of the 576
    cells, driving on changes most.
    """
    return changed_share(before.cells, after.cells)


def changed_share(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """`difference` of thumbnails, uint8 (18, 32), that are no single picture's any more."""
    a, b = before.astype(np.int64), after.astype(np.int64)
    x0, y0, run, rise = _exposure_line(a, b)
    # Gray levels of b and the line, both times run: whole numbers stay exact.
    predicted = (y0 * run + (a - x0) * rise).clip(0, 255 * run)
    contrast = np.maximum(_local_range(a), _local_range(b))
    tolerance = (100 * _NOISE_LEVELS + _SHIFT_PERCENT * contrast) * run
    changed = np.count_nonzero(100 * np.abs(b * run - predicted) > tolerance)
    return changed / _CELLS


def _exposure_line(a: NDArray[np.int64], b: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """The line from gray levels of `a` to those of `b`: a point (x, y), its run and its rise.

    Through the medians of the darker and the brighter third (Tukey's resistant line, 1971): half of
    each third may show something else without moving it. Clipped cells do not follow the line.
    """
    lowest, highest = _CLIPPED_LEVELS
    follows = (np.minimum(a, b) > lowest) & (np.maximum(a, b) < highest)
    x, y = a[follows], b[follows]
    third = len(x) // 3
    if third < _FEWEST_CELLS:
        return 0, 0, 1, 1
    order = np.argsort(x, kind="stable")
    x0, x1, y0, y1 = (
        int(np.sort(levels[part])[third // 2])
        for levels in (x, y)
        for part in (order[:third], order[-third:])
    )
    if x1 - x0 < _SHORTEST_RUN:
        x0, y0 = 0, 0  # one gray level prevails: a gain leaves black where it is
    run = max(1, x1 - x0)
    return x0, y0, run, min(max(y1 - y0, run // 2), 2 * run)


def _local_range(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Largest minus smallest level of each cell and its neighbours."""
    windows = sliding_window_view(np.pad(cells, 1, mode="edge"), (3, 3))
    return np.asarray(windows.max(axis=(2, 3)) - windows.min(axis=(2, 3)))


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


@kernel
def _cells(small: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Mean level of each cell of a grid over the picture."""
    height, width = small.shape
    cells = np.empty((rows, columns), np.uint8)
    for row in range(rows):
        top, bottom = row * height // rows, (row + 1) * height // rows
        for column in range(columns):
            left, right = column * width // columns, (column + 1) * width // columns
            level_sum = 0
            for y in range(top, bottom):
                for x in range(left, right):
                    level_sum += small[y, x]
            area = (bottom - top) * (right - left)
            cells[row, column] = (level_sum + area // 2) // area
    return cells
