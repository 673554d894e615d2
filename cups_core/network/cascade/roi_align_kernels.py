"""The compiled loops of RoIAlign and of its gradient; `roi_align` calls them.

The samples of a cell form a grid, and a sample's bilinear weights are a product of one for its row
and one for its column. So the mean over a cell is a weighted sum over a block of pixels whose
weights are products as well: each pixel is read once, however many samples touch it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cups_core.compiled import kernel


@kernel
def pool(features: Any, regions: Any, scale: float, pooled: Any) -> None:
    """Fill `pooled` (R, C, size, size) from float32 features (B, H, W, C); all C-contiguous."""
    _, height, width, channels = features.shape
    size = pooled.shape[2]
    rows, columns = np.zeros((size, height), np.float32), np.zeros((size, width), np.float32)
    row_spans, column_spans = np.zeros((size, 2), np.int64), np.zeros((size, 2), np.int64)
    total = np.empty(channels, np.float32)
    for number in range(len(regions)):
        image = features[int(regions[number, 0])]
        _lay_grid(regions[number, 2], regions[number, 4], scale, rows, row_spans)
        _lay_grid(regions[number, 1], regions[number, 3], scale, columns, column_spans)
        for row in range(size):
            for column in range(size):
                total[:] = 0
                for y in range(row_spans[row, 0], row_spans[row, 1]):
                    for x in range(column_spans[column, 0], column_spans[column, 1]):
                        weight = rows[row, y] * columns[column, x]
                        pixel = image[y, x]
                        for channel in range(channels):
                            total[channel] += weight * pixel[channel]
                pooled[number, :, row, column] = total


@kernel
def spread(gradient: Any, regions: Any, scale: float, features: Any) -> None:
    """Add to `features` (B, H, W, C) what the gradient (R, C, size, size) says of each pixel."""
    _, height, width, channels = features.shape
    size = gradient.shape[2]
    rows, columns = np.zeros((size, height), np.float32), np.zeros((size, width), np.float32)
    row_spans, column_spans = np.zeros((size, 2), np.int64), np.zeros((size, 2), np.int64)
    given = np.empty(channels, np.float32)
    for number in range(len(regions)):
        image = features[int(regions[number, 0])]
        _lay_grid(regions[number, 2], regions[number, 4], scale, rows, row_spans)
        _lay_grid(regions[number, 1], regions[number, 3], scale, columns, column_spans)
        for row in range(size):
            for column in range(size):
                given[:] = gradient[number, :, row, column]
                for y in range(row_spans[row, 0], row_spans[row, 1]):
                    for x in range(column_spans[column, 0], column_spans[column, 1]):
                        weight = rows[row, y] * columns[column, x]
                        pixel = image[y, x]
                        for channel in range(channels):
                            pixel[channel] += weight * given[channel]


@kernel
def _lay_grid(start: Any, end: Any, scale: float, weights: Any, spans: Any) -> None:
    """The weight of each pixel for each cell along one axis, and from where to where it is not 0.

    Args:
        start, end: edges of the region, pixels of the image.
        scale: feature pixels per pixel.
        weights: (size, pixels), all zero within no more than the `spans` of the call before.
        spans: (size, 2), first pixel and the one after the last.
    """
    size, pixels = weights.shape
    origin = np.float32(start * scale - 0.5)
    cell = np.float32((end - start) * scale) / np.float32(size)
    samples = math.ceil(cell)
    for number in range(size):
        weights[number, spans[number, 0] : spans[number, 1]] = 0
        first, after = pixels, 0
        for sample in range(samples):
            step = (np.float32(sample) + np.float32(0.5)) * cell / np.float32(samples)
            place = origin + np.float32(number) * cell + step
            # Beyond one pixel outside there is nothing to see; nearer, the border goes on.
            if place < -1 or place > pixels:
                continue
            place = max(place, np.float32(0))
            low = int(place)
            if low >= pixels - 1:
                low, high, share = pixels - 1, pixels - 1, np.float32(0)
            else:
                high, share = low + 1, place - np.float32(low)
            weights[number, low] += (1 - share) / samples
            weights[number, high] += share / samples
            first, after = min(first, low), max(after, high + 1)
        spans[number, 0], spans[number, 1] = min(first, after), after
