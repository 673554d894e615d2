"""Masks as run lengths: where a segment begins and ends, and the texts that COCO makes of it.

COCO instances, MOTS texts and Label Studio tasks are written with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.panoptic import VOID_SEGMENT, PanopticMap, Segment

Runs = NDArray[np.int64]


def runs_by_row(label: PanopticMap, segment: Segment) -> Runs:
    """First pixel of each run of a segment and the one after its last, int64 (N, 2).

    Pixels are counted row by row over the whole map.
    """
    left, top, width, height = segment.box
    mask = label.segments[top : top + height, left : left + width] == segment.id
    return _runs(mask, left, top, label.segments.shape[1])


def runs_by_column(label: PanopticMap, segment: Segment) -> Runs:
    """The same, pixels counted column by column, as COCO does."""
    left, top, width, height = segment.box
    mask = label.segments[top : top + height, left : left + width] == segment.id
    return _runs(mask.T, top, left, label.segments.shape[0])


def void_by_column(label: PanopticMap) -> Runs:
    """The runs of all pixels without a segment, counted column by column."""
    return _runs(label.segments.T == VOID_SEGMENT, 0, 0, label.segments.shape[0])


def _runs(mask: NDArray[np.bool_], offset: int, first_line: int, line_length: int) -> Runs:
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    bounds = [
        (first_line + line) * line_length + offset + place
        for line, place in (np.nonzero(steps == 1), np.nonzero(steps == -1))
    ]
    starts, ends = bounds
    # A run that reaches the end of a line goes on when the next line begins inside.
    is_new = np.ones(len(starts), bool)
    is_new[1:] = starts[1:] != ends[:-1]
    is_last = np.roll(is_new, -1)
    return np.stack([starts[is_new], ends[is_last]], axis=1).astype(np.int64)


def coco_counts(runs: Runs, pixels: int) -> str:
    """The compressed counts of COCO's run-length encoding.

    Lengths of void and mask alternate, void first. From the fourth on each is stored as difference
    to the one two before it, in groups of five bits, lowest first: bit 5 of a character says that
    another follows, bit 4 of the last is the sign.

    Args:
        runs: of a mask, column by column.
        pixels: number of pixels of the map.
    """
    bounds = np.concatenate([[0], runs.ravel(), [pixels]])
    counts = np.diff(bounds)
    if counts[-1] == 0:
        counts = counts[:-1]
    stored = counts.copy()
    stored[3:] -= counts[1:-2]
    text = bytearray()
    for value in stored.tolist():
        is_open = True
        while is_open:
            group = value & 31
            value >>= 5
            is_open = value != (-1 if group & 16 else 0)
            text.append(48 + group + 32 * is_open)
    return text.decode("ascii")
