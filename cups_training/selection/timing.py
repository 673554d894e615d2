"""The usual interval of a drive, and where its frames stop following each other.

Selection and the writing of clips ask it.
"""

from __future__ import annotations

from collections.abc import Sequence


def usual_interval_ns(stamps_ns: Sequence[int]) -> int:
    """Median time between consecutive frames, nanoseconds; 0 for fewer than two frames."""
    intervals = sorted(
        after - before for before, after in zip(stamps_ns, stamps_ns[1:], strict=False)
    )
    return intervals[len(intervals) // 2] if intervals else 0


def clip_numbers(stamps_ns: Sequence[int], gap_periods: float) -> list[int]:
    """Number of the clip of each frame: a new one after each gap.

    Args:
        stamps_ns: ascending, nanoseconds.
        gap_periods: a gap is longer than this many usual intervals.
    """
    longest_ns = gap_periods * usual_interval_ns(stamps_ns)
    numbers = [0] * len(stamps_ns)
    for index in range(1, len(stamps_ns)):
        is_gap = stamps_ns[index] - stamps_ns[index - 1] > longest_ns
        numbers[index] = numbers[index - 1] + is_gap
    return numbers
