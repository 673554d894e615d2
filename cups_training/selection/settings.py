"""What a pair of frames must fulfil to be kept: every knob of selection with its meaning.

Extraction takes them from its command line and writes them into the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting


@dataclass(frozen=True)
class SelectionSettings:
    """When a pair is kept; `pairs.select` decides by them."""

    gap_periods: float = setting(
        1.5,
        "frames further apart than this many usual intervals of the drive are no pair",
        minimum=1.05,
        maximum=100,
    )
    shortest_dt_s: float = setting(
        0.01, "frames closer in time than this are no pair, seconds", minimum=0, maximum=10
    )
    longest_dt_s: float = setting(
        0.5, "frames further apart in time than this are no pair, seconds", minimum=0, maximum=60
    )
    least_sharpness: float = setting(
        0.25, "a frame less sharp than this is blurred (0.45 to 1 in focus)", minimum=0, maximum=1
    )
    least_relative_sharpness: float = setting(
        0.7,
        "so is one less sharp than this share of the median around it",
        minimum=0,
        maximum=1,
    )
    neighbours_s: float = setting(
        1.0, "how far before and after a frame that median looks, seconds", minimum=0, maximum=60
    )
    most_dark: float = setting(
        0.6, "a frame with more crushed pixels than this share is too dark", minimum=0, maximum=1
    )
    most_bright: float = setting(
        0.5,
        "a frame with more saturated pixels than this share is too bright",
        minimum=0,
        maximum=1,
    )
    least_change: float = setting(
        0.003,
        "nothing moves while a smaller share of the thumbnail than this changes (0.0017 a cell)",
        minimum=0,
        maximum=1,
    )
    change_span_s: float = setting(
        0.5, "time over which that change is looked for, seconds", minimum=0, maximum=10
    )
    shortest_change_s: float = setting(
        0.3,
        "what changes for a shorter time (a rain drop that lands) is no motion, seconds",
        minimum=0,
        maximum=10,
    )
    passing_s: float = setting(
        0.25,
        "what covers a place for half of this time at most (a wiper) is not seen, seconds",
        minimum=0,
        maximum=2,
    )
    standing_interval_s: float = setting(
        10.0,
        "where nothing moves, the first pair is kept and then one in this time, seconds",
        minimum=0,
        maximum=86400,
    )
    keyframe_interval_s: float = setting(
        0.0, "at most one pair is kept in this time, seconds; 0 = all", minimum=0, maximum=3600
    )
