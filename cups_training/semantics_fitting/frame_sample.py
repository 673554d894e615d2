"""Frames spread evenly over all drives of a dataset; which ones, the seed decides.

Every way of fitting semantics takes its frames here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_training.dataset.drive import Drive


def choose_frames(lengths: Sequence[int], count: int, seed: int) -> list[tuple[int, int]]:
    """(drive, frame) of one random frame in each of `count` equal parts of all frames in a row.

    Args:
        lengths: frames of each drive.
        count: how many to choose; all frames where there are not more.
        seed: of the choice.

    Raises:
        InputError: there are no frames at all, or none is asked for.
    """
    total = sum(lengths)
    if total == 0 or count < 1:
        raise InputError(f"frames: expected at least one of at least one, found {count} of {total}")
    bounds = np.arange(min(count, total) + 1) * total // min(count, total)
    chosen = np.random.default_rng(seed).integers(bounds[:-1], bounds[1:])
    ends = np.cumsum(lengths)
    drives = np.searchsorted(ends, chosen, side="right")
    frames = chosen - (ends - np.asarray(lengths))[drives]
    return [(int(drive), int(frame)) for drive, frame in zip(drives, frames, strict=True)]


def sampled_frames(drives: Sequence[Drive], count: int, seed: int) -> Iterator[StereoFrame]:
    """The chosen frames, one after another; see `choose_frames`."""
    for drive, frame in choose_frames([len(drive) for drive in drives], count, seed):
        yield drives[drive].frame(frame)
