"""How regular the stamps of a topic are: rate, gaps, repetitions, jumps, lag.

`drive_facts` measures each image and camera_info topic with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cups_core.stereo_pairing import JUMP_BACK_NS

# A new clip begins after such a gap.
GAP_PERIODS = 1.5
MOST_GAPS = 20


class Gap(NamedTuple):
    """A stretch without messages.

    Attributes:
        after_ns: stamp of the message before it.
        length_ns: to the next message.
    """

    after_ns: int
    length_ns: int


@dataclass(frozen=True)
class StampStatistics:
    """The stamps of a topic's headers, in the order of recording.

    Attributes:
        count: number of messages.
        first_ns: smallest stamp, 0 where there is none.
        last_ns: largest stamp.
        period_ns: median time from one message to the next; 0 for fewer than two.
        gap_count: number of intervals longer than 1.5 periods.
        missing: about how many messages are missing in the gaps.
        gaps: the longest ones, in the order of time.
        zero: messages without a stamp; they count for nothing else.
        repeated: messages with the stamp of the one before.
        out_of_order: messages a little older than the one before.
        clock_jumps: how often time went back by half a second or more.
        lag_ns: median of the time of recording minus the stamp.
        lag_p95_ns: 95th percentile of it.
    """

    count: int
    first_ns: int
    last_ns: int
    period_ns: int
    gap_count: int
    missing: int
    gaps: tuple[Gap, ...]
    zero: int
    repeated: int
    out_of_order: int
    clock_jumps: int
    lag_ns: int
    lag_p95_ns: int

    @property
    def rate_hz(self) -> float:
        """Messages a second between the gaps; 0 where that is unknown."""
        return 1e9 / self.period_ns if self.period_ns else 0.0


def stamp_statistics(stamps_ns: Sequence[int], recorded_ns: Sequence[int]) -> StampStatistics:
    """Measure the stamps of one topic.

    Args:
        stamps_ns: of the headers, in the order of recording.
        recorded_ns: when each was recorded.
    """
    stamped = [stamp for stamp in stamps_ns if stamp]
    starts: list[list[int]] = [[]]
    repeated = out_of_order = 0
    for stamp in stamped:
        newest = starts[-1][-1] if starts[-1] else stamp - 1
        if stamp > newest:
            starts[-1].append(stamp)
        elif stamp == newest:
            repeated += 1
        elif newest - stamp < JUMP_BACK_NS:
            out_of_order += 1
        else:
            starts.append([stamp])
    # Time goes on within each start of the clock only.
    earlier = np.concatenate([np.array(start[:-1], np.int64) for start in starts])
    intervals = np.concatenate([np.diff(np.array(start, np.int64)) for start in starts])
    period = int(np.median(intervals)) if len(intervals) else 0
    found = np.flatnonzero(intervals > GAP_PERIODS * period)
    longest = sorted(found[np.argsort(-intervals[found], kind="stable")][:MOST_GAPS].tolist())
    lag = np.array(recorded_ns, np.int64) - np.array(stamps_ns, np.int64)
    lag = lag[np.array(stamps_ns, np.int64) != 0]
    return StampStatistics(
        count=len(stamps_ns),
        first_ns=min(stamped, default=0),
        last_ns=max(stamped, default=0),
        period_ns=period,
        gap_count=len(found),
        missing=int((np.rint(intervals[found] / period) - 1).sum()) if len(found) else 0,
        gaps=tuple(Gap(int(earlier[place]), int(intervals[place])) for place in longest),
        zero=len(stamps_ns) - len(stamped),
        repeated=repeated,
        out_of_order=out_of_order,
        clock_jumps=len(starts) - 1,
        lag_ns=int(np.median(lag)) if len(lag) else 0,
        lag_p95_ns=int(np.percentile(lag, 95)) if len(lag) else 0,
    )
