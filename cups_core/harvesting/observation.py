"""What the harvest policy is told of one stereo pair: its picture's quality and what moves in it.

The harvest node fills it from messages, the benchmark from synthetic truth.
"""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.frame_quality import FrameQuality


@dataclass(frozen=True)
class SeenObject:
    """One moving object of a pseudo-label.

    Attributes:
        track_id: stable over time; 0 = not tracked.
        score: confidence that it moves, 0 to 1.
        area_share: its share of the picture's pixels, 0 to 1.
        speed_mps: over ground, m/s; NaN where unknown.
        is_cut: whether it touches the border of the picture, where objects leave and enter.
    """

    track_id: int
    score: float
    area_share: float
    speed_mps: float
    is_cut: bool


@dataclass(frozen=True)
class Observation:
    """One stereo pair.

    Attributes:
        stamp_ns: of its left header.
        size_bytes: of all its messages, before compression.
        quality: of the left picture.
        objects: what moves in it; None = no pseudo-label came for this pair.
    """

    stamp_ns: int
    size_bytes: int
    quality: FrameQuality
    objects: tuple[SeenObject, ...] | None
