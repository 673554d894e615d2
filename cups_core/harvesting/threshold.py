"""The score that a frame must reach so that the best ones win, not the first ones.

It is the quantile of the recent scores that lets through what the budget can pay for.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass

from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.settings import setting


@dataclass(frozen=True)
class ThresholdSettings:
    """How frames compete."""

    minimum_score: float = setting(
        0.05,
        "a frame below this score is never worth a byte, however much budget is left",
        minimum=0.0,
        maximum=1.0,
    )
    window_s: float = setting(
        300.0, "frames compete with those of so many seconds before", minimum=1.0, maximum=36000.0
    )


class AdaptiveThreshold:
    """The scores of the last seconds and the quantile that a share of them reaches."""

    def __init__(self, settings: ThresholdSettings) -> None:
        self._minimum = settings.minimum_score
        self._window_ns = int(settings.window_s * NANOSECONDS_PER_SECOND)
        self._scores: deque[tuple[int, float]] = deque()
        self._ascending: list[float] = []

    def add(self, stamp_ns: int, score: float) -> None:
        """Remember the score of one more frame."""
        self._scores.append((stamp_ns, score))
        insort(self._ascending, score)
        while stamp_ns - self._scores[0][0] > self._window_ns:
            _, old = self._scores.popleft()
            del self._ascending[bisect_left(self._ascending, old)]

    def clear(self) -> None:
        """Forget all scores, because the clock starts again."""
        self._scores.clear()
        self._ascending.clear()

    def rate_hz(self) -> float:
        """Frames per second among the remembered ones; 0 when there are fewer than two."""
        if len(self._scores) < 2:
            return 0.0
        span_ns = self._scores[-1][0] - self._scores[0][0]
        return (len(self._scores) - 1) * NANOSECONDS_PER_SECOND / span_ns

    def value(self, share: float) -> float:
        """The score that the best `share` (0 to 1) of the recent frames reaches, or the minimum."""
        count = math.floor(share * len(self._ascending))
        if count >= len(self._ascending):
            return self._minimum
        return max(self._minimum, self._ascending[-max(1, count)])
