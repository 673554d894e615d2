"""Finds the time in which nothing moves: neither the vehicle nor anything that it sees.

Selection keeps few of the frames from there. Only thumbnails are compared, so a car that crosses
in front of a parked vehicle counts as motion, and noise, exposure, rain and wipers do not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np

from cups_core.frame_quality import FrameQuality
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.thumbnail import CELLS, Thumbnail, changed_cells, with_exposure_of
from cups_training.selection.settings import SelectionSettings
from cups_training.selection.timing import usual_interval_ns

MOST_BY_CHANCE, CHANCE_FACTOR = 0.014, 1.5


def still_pairs(
    stamps_ns: Sequence[int], qualities: Sequence[FrameQuality], settings: SelectionSettings
) -> list[bool]:
    """Whether nothing moves between each frame of a clip and the next one.

    Every frame is linked with the last one within `change_span_s`. Links over which the picture
    changes for long enough are motion, and so is the time they span.

    Args:
        stamps_ns: of the frames of one clip, ascending, nanoseconds.
        qualities: of the frames.
        settings: what counts as change.
    """
    count = len(stamps_ns)
    span_ns = round(settings.change_span_s * NANOSECONDS_PER_SECOND)
    ends = [
        max(index + 1, bisect_right(stamps_ns, stamps_ns[index] + span_ns) - 1)
        for index in range(count - 1)
    ]
    cells = _without_passing(stamps_ns, qualities, settings.passing_s)
    restless = _restlessness(cells, ends)
    changes = [
        changed_cells(cells[start], cells[end]) / CELLS - restless[start]
        for start, end in enumerate(ends)
    ]
    # A change that stays is seen by all links across it: for the span. What moves is seen longer.
    least_ns = span_ns + round(settings.shortest_change_s * NANOSECONDS_PER_SECOND)
    still = [True] * max(0, count - 1)
    for first, last in _runs(changes, settings.least_change):
        is_cut_off = first == 0 or ends[last] == count - 1
        if is_cut_off or stamps_ns[last + 1] - stamps_ns[first] >= least_ns:
            still[first : ends[last]] = [False] * (ends[last] - first)
    return still


def _restlessness(cells: Sequence[Thumbnail], ends: Sequence[int]) -> list[float]:
    """Share of the cells that change by chance, as in rain: they differ already one frame later.

    What moves changes more cells the longer one looks, chance does not. Motion, too, changes some
    from frame to frame, so no more than a few are taken for chance.
    """
    steps = [changed_cells(before, after) for before, after in pairwise(cells)]
    found = []
    for start, end in enumerate(ends):
        around = sorted(steps[start:end])
        is_one_step = end == start + 1
        by_chance = 0.0 if is_one_step else min(around[len(around) // 2] / CELLS, MOST_BY_CHANCE)
        found.append(CHANCE_FACTOR * by_chance)
    return found


def _without_passing(
    stamps_ns: Sequence[int], qualities: Sequence[FrameQuality], passing_s: float
) -> list[Thumbnail]:
    """Thumbnails as the median over a short time: a wiper leaves each place at once."""
    interval_ns = max(1, usual_interval_ns(stamps_ns))
    reach = int(passing_s * NANOSECONDS_PER_SECOND / 2 // interval_ns)
    cells = [quality.cells for quality in qualities]
    last = len(cells) - 1
    medians = []
    for index in range(len(cells)):
        # At the ends of the clip the window shrinks on both sides, so that it stays centered.
        half = min(reach, index, last - index)
        window = [
            with_exposure_of(other, cells[index])
            for other in cells[index - half : index + half + 1]
        ]
        # A copy: a view would keep the whole window in memory.
        medians.append(np.sort(window, axis=0)[half].copy())
    return medians


def _runs(changes: Sequence[float], least: float) -> Iterator[tuple[int, int]]:
    """First and last index of each run of changes; half of `least` continues one."""
    for is_change, run in groupby(enumerate(changes), key=lambda item: item[1] >= least / 2):
        places = list(run)
        if is_change and max(change for _, change in places) >= least:
            yield places[0][0], places[-1][0]
