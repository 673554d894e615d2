"""The nearest centre for each pixel of an image, from places that a grid of cells points to.

Centre grouping calls it. A pixel goes to one of the centres of the four cells around it: at the
border of two things it points between their centres, where a third one's may lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel

NOBODY, UNASKED = -1, -2


@dataclass(frozen=True, eq=False)
class CellAxis:
    """How cells lie along rows or columns of an image.

    Attributes:
        starts: first pixel whose middle is not before the middle of each cell, and the end.
        share: float32, how far each pixel is on the way from its cell to the next.
        middles: the pixel in the middle of each cell that lies in the image.
    """

    starts: NDArray[np.intp]
    share: NDArray[np.float32]
    middles: NDArray[np.intp]

    @classmethod
    def of(cls, pixels: int, pixels_per_cell: float, cells: int) -> CellAxis:
        """The cells of an axis whose first cell begins with the first pixel."""
        at = np.clip((np.arange(pixels) + 0.5) / pixels_per_cell - 0.5, 0, cells - 1)
        cell = at.astype(np.intp)
        starts = np.searchsorted(cell, np.arange(cell[-1] + 2))
        middles = ((np.arange(cells) + 0.5) * pixels_per_cell).astype(np.intp)
        return cls(starts, (at - cell).astype(np.float32), middles[middles < pixels])


def pointed(offsets: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """(2, h, w): the places that the cells point to, pixels of the input."""
    _, rows, columns = offsets.shape
    x = (np.arange(columns, dtype=np.float32) + np.float32(0.5)) * stride
    y = (np.arange(rows, dtype=np.float32) + np.float32(0.5)) * stride
    return np.stack([offsets[0] + x, offsets[1] + y[:, None]])


def assign(
    places: NDArray[np.float32],
    centres: NDArray[np.float32],
    farthest: float,
    labels: NDArray[np.uint8],
    things: NDArray[np.bool_],
    rows: CellAxis,
    columns: CellAxis,
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Give the pixels of things to centres.

    Args:
        places: float32 (2, h, w), x and y that the cells point to; interpolated between them.
        centres: float32 (K, at least 2), x and y.
        farthest: the distance from which on a centre is none for a cell.
        labels: uint8 (H, W), class of each pixel.
        things: bool (C,), which classes are things.
        rows, columns: how the cells lie on the image.

    Returns:
        The owner of each pixel (H, W), `NOBODY` for stuff and for what is too far from all, and how
        many pixels of each class every centre has (K + 1, C); the last row is `NOBODY`'s.
    """
    owners = np.empty(labels.shape, np.int16)
    counts = np.zeros((len(centres) + 1, len(things)), np.int64)
    square = np.float32(farthest * farthest)
    cells, shares = (rows.starts, columns.starts), (rows.share, columns.share)
    _assign_all(places, centres, square, labels, things, *cells, *shares, owners, counts)
    return owners, counts


@kernel
def _nearest(x: Any, y: Any, centres: Any, farthest_square: float) -> int:
    """The first of the nearest centres; nobody where all are too far."""
    best, nearest = np.float32(farthest_square), NOBODY
    for number in range(len(centres)):
        across, down = centres[number, 0] - x, centres[number, 1] - y
        square = across * across + down * down
        if square < best:
            best, nearest = square, number
    return nearest


@kernel
def _assign_all(
    places: Any,
    centres: Any,
    farthest_square: float,
    labels: Any,
    things: Any,
    row_starts: Any,
    column_starts: Any,
    down: Any,
    right: Any,
    owners: Any,
    counts: Any,
) -> None:
    last_row, last_column = places.shape[1] - 1, places.shape[2] - 1
    nearest = np.full(places.shape[1:], UNASKED, np.int16)
    around, candidates = np.empty(4, np.int16), np.empty((4, 2), np.float32)
    for row in range(len(row_starts) - 1):
        rows = (row, min(row + 1, last_row))
        for column in range(len(column_starts) - 1):
            columns = (column, min(column + 1, last_column))
            known = False
            for y in range(row_starts[row], row_starts[row + 1]):
                for x in range(column_starts[column], column_starts[column + 1]):
                    owner = NOBODY
                    if things[labels[y, x]]:
                        if not known:
                            _ask(places, centres, farthest_square, rows, columns, nearest)
                            count = _around(nearest, centres, rows, columns, around, candidates)
                            known = True
                        owner = around[0]
                        if count > 1:
                            place_x = _between(places[0], rows, columns, down[y], right[x])
                            place_y = _between(places[1], rows, columns, down[y], right[x])
                            owner = around[_nearest(place_x, place_y, candidates[:count], np.inf)]
                    owners[y, x] = owner
                    counts[owner, labels[y, x]] += 1


@kernel
def _ask(
    places: Any, centres: Any, farthest_square: float, rows: Any, columns: Any, nearest: Any
) -> None:
    """The nearest centre of each of four cells that have not been asked."""
    for row in rows:
        for column in columns:
            if nearest[row, column] == UNASKED:
                nearest[row, column] = _nearest(
                    places[0, row, column], places[1, row, column], centres, farthest_square
                )


@kernel
def _around(
    nearest: Any, centres: Any, rows: Any, columns: Any, around: Any, candidates: Any
) -> int:
    """The centres of four cells, each once and in their order; nobody where there is none."""
    around[:] = NOBODY
    count = 0
    for row in rows:
        for column in columns:
            number = nearest[row, column]
            at = count
            while at > 0 and around[at - 1] > number:
                at -= 1
            if number == NOBODY or (at > 0 and around[at - 1] == number):
                continue
            for k in range(count, at, -1):
                around[k] = around[k - 1]
            around[at] = number
            count += 1
    for k in range(count):
        candidates[k, 0], candidates[k, 1] = centres[around[k], 0], centres[around[k], 1]
    return count


@kernel
def _between(plane: Any, rows: Any, columns: Any, down: Any, right: Any) -> Any:
    """Bilinear value between four cells."""
    upper = plane[rows[0], columns[0]]
    upper += right * (plane[rows[0], columns[1]] - upper)
    lower = plane[rows[1], columns[0]]
    lower += right * (plane[rows[1], columns[1]] - lower)
    return upper + down * (lower - upper)
