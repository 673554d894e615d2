"""Thumbnails of pictures: what they show, compared whatever the exposure, noise and vibration.

The measures of a frame hold one; selection and the vehicle's harvest node compare them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel

WIDTH, HEIGHT = 32, 18
CELLS = WIDTH * HEIGHT

Thumbnail = NDArray[np.uint8]

_LEVELS = 256
# What a cell may differ by while nothing moves: sensor noise and rounding, and in percent of the
# contrast around it what a vibrating engine shifts.
_NOISE_LEVELS = 3
_SHIFT_PERCENT = 6
# Cells beyond these may be clipped in part and do not follow the exposure.
_DARKEST, _BRIGHTEST = 8, 240
_FEWEST_CELLS = 36
_SHORTEST_RUN = 16


@kernel
def thumbnail_of(gray: NDArray[np.uint8]) -> Thumbnail:
    """Mean gray level of each cell of a grid over the picture.

    Args:
        gray: uint8 (H, W), at least as large as the thumbnail.

    Returns:
        uint8 (18, 32).
    """
    height, width = gray.shape
    cells = np.empty((HEIGHT, WIDTH), np.uint8)
    for row in range(HEIGHT):
        top, bottom = row * height // HEIGHT, (row + 1) * height // HEIGHT
        for column in range(WIDTH):
            left, right = column * width // WIDTH, (column + 1) * width // WIDTH
            total = 0
            for y in range(top, bottom):
                for x in range(left, right):
                    total += gray[y, x]
            area = (bottom - top) * (right - left)
            cells[row, column] = (total + area // 2) // area
    return cells


@kernel
def changed_cells(before: Thumbnail, after: Thumbnail) -> int:
    """Number of cells in which something else is seen.

    A change of exposure is taken off first; a cell in which some pixels are clipped may follow it
    in part. Whole numbers only: the same on every machine.
    """
    x0, y0, run, rise = _exposure(before, after)
    count = 0
    for row in range(HEIGHT):
        for column in range(WIDTH):
            same = before[row, column] * run
            exposed = min(max(y0 * run + (before[row, column] - x0) * rise, 0), 255 * run)
            now = after[row, column] * run
            error = max(now - max(same, exposed), min(same, exposed) - now)
            contrast = max(_contrast(before, row, column), _contrast(after, row, column))
            if 100 * error > (100 * _NOISE_LEVELS + _SHIFT_PERCENT * contrast) * run:
                count += 1
    return count


@kernel
def with_exposure_of(cells: Thumbnail, other: Thumbnail) -> Thumbnail:
    """A thumbnail as it would be with the exposure of another one of the same scene."""
    x0, y0, run, rise = _exposure(cells, other)
    result = np.empty_like(cells)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            level = (y0 * run + (cells[row, column] - x0) * rise + run // 2) // run
            result[row, column] = min(max(level, 0), 255)
    return result


@kernel
def _exposure(before: Thumbnail, after: Thumbnail) -> tuple[int, int, int, int]:
    """The line from gray levels before to those after: a point on it (x, y), its run and its rise.

    Through the medians of the darker and the brighter third of the cells (Tukey's resistant line,
    1971): half of each third may show something else without moving it.
    """
    levels = np.zeros(_LEVELS, np.int64)
    count = 0
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if _follows(before[row, column], after[row, column]):
                levels[before[row, column]] += 1
                count += 1
    if count < _FEWEST_CELLS:
        return 0, 0, 1, 1
    darker, brighter = _level_at(levels, count // 3), _level_at(levels, count - 1 - count // 3)
    x0, y0 = _medians(before, after, 0, darker)
    x1, y1 = _medians(before, after, brighter, _LEVELS)
    if x1 - x0 < _SHORTEST_RUN:
        x0, y0 = 0, 0  # one gray level prevails: a gain leaves black where it is
    run = max(1, x1 - x0)
    rise = min(max(y1 - y0, run // 2), 2 * run)
    # Something large and near, such as a wiper, bends the line: it must explain more than none.
    if _agreeing(before, after, x0, y0, run, rise) > _agreeing(before, after, 0, 0, 1, 1):
        return x0, y0, run, rise
    return 0, 0, 1, 1


@kernel
def _agreeing(before: Thumbnail, after: Thumbnail, x0: int, y0: int, run: int, rise: int) -> int:
    """Number of cells that a line explains."""
    count = 0
    for row in range(HEIGHT):
        for column in range(WIDTH):
            exposed = min(max(y0 * run + (before[row, column] - x0) * rise, 0), 255 * run)
            if abs(after[row, column] * run - exposed) <= _NOISE_LEVELS * run:
                count += 1
    return count


@kernel
def _follows(before: int, after: int) -> bool:
    return min(before, after) > _DARKEST and max(before, after) < _BRIGHTEST


@kernel
def _medians(before: Thumbnail, after: Thumbnail, lowest: int, highest: int) -> tuple[int, int]:
    """Median level before and after of the cells whose level before is in the given range."""
    levels = np.zeros((2, _LEVELS), np.int64)
    count = 0
    for row in range(HEIGHT):
        for column in range(WIDTH):
            x, y = before[row, column], after[row, column]
            if lowest <= x <= highest and _follows(x, y):
                levels[0, x] += 1
                levels[1, y] += 1
                count += 1
    return _level_at(levels[0], count // 2), _level_at(levels[1], count // 2)


@kernel
def _level_at(levels: NDArray[np.int64], rank: int) -> int:
    """The level of the cell of a rank, counted from 0, in a histogram."""
    below = 0
    for level in range(_LEVELS):
        below += levels[level]
        if below > rank:
            return level
    return _LEVELS - 1


@kernel
def _contrast(cells: Thumbnail, row: int, column: int) -> int:
    """Largest minus smallest level of a cell and its neighbours."""
    low, high = _LEVELS, 0
    for y in range(max(0, row - 1), min(HEIGHT, row + 2)):
        for x in range(max(0, column - 1), min(WIDTH, column + 2)):
            low, high = min(low, cells[y, x]), max(high, cells[y, x])
    return high - low
