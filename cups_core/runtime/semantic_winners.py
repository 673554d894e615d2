"""The best channel of each pixel of an image, from logits at a fraction of its size.

The predictor calls it. Enlarged logits of all channels are never stored, and where the same
channel wins in all four corners of a cell it wins between them too: most cells need no arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.runtime.letterbox import Letterbox


def winners(logits: NDArray[np.float32], letterbox: Letterbox, stride: int) -> NDArray[np.uint8]:
    """The first of the highest channels at each pixel of the image, bilinearly enlarged.

    Pixel centres correspond, and what lies outside is repeated, as in PyTorch with `align_corners`
    off; over the border of the valid area the padding's logits count, as in the network itself.

    Args:
        logits: (C, h, w), C at most 255, one value for `stride` pixels of the input.
        letterbox: where the image lies in the input.
        stride: pixels of the input for one of the logits.

    Returns:
        uint8 (H, W) of the image.
    """
    x, y = letterbox.enlargement
    rows, down = _positions(letterbox.height, logits.shape[1], stride * y)
    columns, right = _positions(letterbox.width, logits.shape[2], stride * x)
    found = np.empty((letterbox.height, letterbox.width), np.uint8)
    coarse = np.empty(logits.shape[1:], np.uint8)
    last_row, last_column = rows[-1] + 2, columns[-1] + 2
    _coarse_winners(logits, last_row, last_column, coarse)
    row_starts = np.searchsorted(rows, np.arange(rows[-1] + 2))
    column_starts = np.searchsorted(columns, np.arange(columns[-1] + 2))
    _fill(logits, coarse, row_starts, column_starts, down, right, found)
    return found


def _positions(
    count: int, cells: int, pixels_per_cell: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Cell before each pixel, and how far the pixel is on the way to the next cell."""
    at = np.clip((np.arange(count) + 0.5) / pixels_per_cell - 0.5, 0, cells - 1)
    cell = at.astype(np.intp)
    return cell, (at - cell).astype(np.float32)


@kernel
def _coarse_winners(logits: Any, last_row: int, last_column: int, coarse: Any) -> None:
    rows, columns = min(last_row, coarse.shape[0]), min(last_column, coarse.shape[1])
    best = np.empty(columns, np.float32)
    for row in range(rows):
        best[:] = logits[0, row, :columns]
        coarse[row, :columns] = 0
        for channel in range(1, len(logits)):
            for column in range(columns):
                value = logits[channel, row, column]
                if value > best[column]:
                    best[column] = value
                    coarse[row, column] = channel


@kernel
def _fill(
    logits: Any,
    coarse: Any,
    row_starts: Any,
    column_starts: Any,
    down: Any,
    right: Any,
    found: Any,
) -> None:
    corners = np.empty((len(logits), 4), np.float32)
    channels = np.empty(len(logits), np.uint8)
    for row in range(len(row_starts) - 1):
        top, bottom = row_starts[row], row_starts[row + 1]
        below = min(row + 1, coarse.shape[0] - 1)
        for column in range(len(column_starts) - 1):
            start, end = column_starts[column], column_starts[column + 1]
            beside = min(column + 1, coarse.shape[1] - 1)
            winner = coarse[row, column]
            if (
                winner == coarse[row, beside]
                and winner == coarse[below, column]
                and winner == coarse[below, beside]
            ):
                found[top:bottom, start:end] = winner
                continue
            count = _contenders(logits, row, below, column, beside, corners, channels)
            for y in range(top, bottom):
                for x in range(start, end):
                    best, at = np.float32(-np.inf), 0
                    for k in range(count):
                        upper = corners[k, 0] + right[x] * (corners[k, 1] - corners[k, 0])
                        lower = corners[k, 2] + right[x] * (corners[k, 3] - corners[k, 2])
                        value = upper + down[y] * (lower - upper)
                        if value > best:
                            best, at = value, k
                    found[y, x] = channels[at]


@kernel
def _contenders(
    logits: Any, row: int, below: int, column: int, beside: int, corners: Any, channels: Any
) -> int:
    """Corner values of the channels that may win inside a cell; returns their number.

    A channel whose highest corner is below another one's lowest never does.
    """
    bar = np.float32(-np.inf)
    for channel in range(len(logits)):
        plane = logits[channel]
        lowest = min(
            min(plane[row, column], plane[row, beside]),
            min(plane[below, column], plane[below, beside]),
        )
        bar = max(bar, lowest)
    count = 0
    for channel in range(len(logits)):
        plane = logits[channel]
        a, b = plane[row, column], plane[row, beside]
        c, d = plane[below, column], plane[below, beside]
        if max(max(a, b), max(c, d)) >= bar:
            corners[count, 0], corners[count, 1] = a, b
            corners[count, 2], corners[count, 3] = c, d
            channels[count] = channel
            count += 1
    return count
