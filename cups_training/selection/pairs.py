"""Decides for each pair of consecutive frames whether it is kept, and if not, for which reasons.

Extraction and import ask it once a drive is measured; the overview shows its reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cups_core.frame_quality import FrameQuality
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_training.selection.frame_faults import frame_faults
from cups_training.selection.settings import SelectionSettings
from cups_training.selection.stillness import still_pairs
from cups_training.selection.timing import clip_numbers

GAP, INTERVAL, STANDING, THINNED = "gap", "interval", "standing", "thinned"


@dataclass(frozen=True)
class MeasuredFrame:
    """What selection knows of a frame.

    Attributes:
        stamp_ns: header stamp of the left picture, nanoseconds.
        quality: of the left picture; None = not measured, then only time decides.
    """

    stamp_ns: int
    quality: FrameQuality | None


@dataclass(frozen=True)
class PairDecision:
    """A frame and the next one of its drive.

    Attributes:
        first_ns: stamp of the frame at t; a keyframe, where the pair is kept.
        second_ns: stamp of the frame at t+1.
        kept: whether the pair is worth learning from.
        reasons: why it is not; what stands before the colon counts as one kind.
    """

    first_ns: int
    second_ns: int
    kept: bool
    reasons: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """As pairs.jsonl holds it."""
        return {
            "first_ns": self.first_ns,
            "second_ns": self.second_ns,
            "dt_ns": self.second_ns - self.first_ns,
            "kept": self.kept,
            "reasons": list(self.reasons),
        }


def select(frames: Sequence[MeasuredFrame], settings: SelectionSettings) -> list[PairDecision]:
    """The decision on every pair of consecutive frames of a drive, in order of time.

    Args:
        frames: all frames of the drive, in order of time.
        settings: when a pair is kept.
    """
    stamps = [frame.stamp_ns for frame in frames]
    qualities = [frame.quality for frame in frames]
    clips = clip_numbers(stamps, settings.gap_periods)
    faults = frame_faults(stamps, qualities, settings)
    reasons = [
        _time_faults(stamps[index], stamps[index + 1], clips[index] != clips[index + 1], settings)
        + faults[index]
        + [f"{fault} (the next frame)" for fault in faults[index + 1]]
        for index in range(len(frames) - 1)
    ]
    _thin_out(stamps, reasons, _stands(stamps, qualities, clips, settings), settings)
    return [
        PairDecision(stamps[index], stamps[index + 1], not found, tuple(found))
        for index, found in enumerate(reasons)
    ]


def _time_faults(
    first_ns: int, second_ns: int, is_gap: bool, settings: SelectionSettings
) -> list[str]:
    seconds = (second_ns - first_ns) / NANOSECONDS_PER_SECOND
    if is_gap:
        return [f"{GAP}: {seconds:.3f} s without a frame"]
    if not settings.shortest_dt_s <= seconds <= settings.longest_dt_s:
        return [f"{INTERVAL}: {seconds:.3f} s between the frames"]
    return []


def _stands(
    stamps_ns: Sequence[int],
    qualities: Sequence[FrameQuality | None],
    clips: Sequence[int],
    settings: SelectionSettings,
) -> list[bool]:
    """Whether nothing moves between each frame of the drive and the next one."""
    found: list[bool] = []
    start = 0
    for stop in range(1, len(stamps_ns) + 1):
        if stop < len(stamps_ns) and clips[stop] == clips[start]:
            continue
        measured = [quality for quality in qualities[start:stop] if quality is not None]
        if len(measured) == stop - start:
            found += still_pairs(stamps_ns[start:stop], measured, settings)
        else:
            found += [False] * (stop - start - 1)
        found.append(False)  # across the gap
        start = stop
    return found[:-1]


def _thin_out(
    stamps_ns: Sequence[int],
    reasons: list[list[str]],
    stands: Sequence[bool],
    settings: SelectionSettings,
) -> None:
    """Give a reason to all but few of the pairs that show nothing new."""
    last_ns: int | None = None  # keyframe before
    last_standing_ns: int | None = None  # keyframe before in this stand
    for index, found in enumerate(reasons):
        stamp = stamps_ns[index]
        if not stands[index]:
            last_standing_ns = None
        if found:
            continue
        if _is_soon(last_standing_ns, stamp, settings.standing_interval_s):
            found.append(f"{STANDING}: nothing moves")
        elif _is_soon(last_ns, stamp, settings.keyframe_interval_s):
            found.append(f"{THINNED}: soon after a keyframe")
        else:
            last_ns = stamp
            if stands[index]:
                last_standing_ns = stamp


def _is_soon(before_ns: int | None, now_ns: int, interval_s: float) -> bool:
    return before_ns is not None and now_ns - before_ns < interval_s * NANOSECONDS_PER_SECOND
