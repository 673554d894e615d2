"""How much there is to learn from one frame: motion, novelty, uncertainty, and whether it is sharp.

The harvest policy scores each frame with it and tells it which ones were kept, so that the same
thing is not kept again and again.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from cups_core.frame_quality import FrameQuality, difference
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.harvesting.observation import Observation, SeenObject
from cups_core.settings import setting

REMEMBERED_PICTURES = 12
REMEMBERED_SHARPNESS = 10
REMEMBERED_TRACK_NS = 20 * NANOSECONDS_PER_SECOND
# Moving as fast as a person walks briskly counts fully, as does the size of a car 20 m away.
FULL_SPEED_MPS = 2.0
FULL_AREA_SHARE = 0.02
UNKNOWN_SPEED_WORTH = 0.5
WORTH_AGAIN = 0.5
"""A track that was kept is worth that much of what it was before."""


@dataclass(frozen=True)
class ScoreSettings:
    """What makes a frame worth keeping."""

    motion_weight: float = setting(
        1.0, "weight of moving objects that were not kept yet", minimum=0.0, maximum=10.0
    )
    novelty_weight: float = setting(
        0.6, "weight of a picture unlike those kept before", minimum=0.0, maximum=10.0
    )
    uncertainty_weight: float = setting(
        0.4,
        "weight of doubtful objects: middling score, lost in mid-picture, size that jumps",
        minimum=0.0,
        maximum=10.0,
    )
    novel_difference: float = setting(
        0.8,
        "difference of thumbnails from which on a picture is wholly new (0 = equal, 1 = nothing "
        "in common)",
        minimum=0.001,
        maximum=1.0,
    )
    least_sharpness: float = setting(
        0.25, "a frame less sharp than this is blurred (0.45 to 1 in focus)", minimum=0, maximum=1
    )
    least_relative_sharpness: float = setting(
        0.7,
        "so is one less sharp than this share of the median of the frames before it",
        minimum=0,
        maximum=1,
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


class Flaw(enum.Enum):
    """What makes a picture useless."""

    DARK = "too dark"
    BRIGHT = "too bright"
    BLURRED = "blurred"


@dataclass(frozen=True)
class FrameScore:
    """What a frame is worth; each part lies in 0 to 1.

    Attributes:
        motion: moving objects, less for those that were kept already.
        novelty: unlikeness to the pictures kept before.
        uncertainty: what the pseudo-labels are in doubt about.
        total: the weighted mean.
        is_labelled: whether a pseudo-label was there; without one motion and uncertainty are 0.
    """

    motion: float
    novelty: float
    uncertainty: float
    total: float
    is_labelled: bool


class FrameScoring:
    """Scores frames against what was kept before."""

    def __init__(self, settings: ScoreSettings) -> None:
        self._settings = settings
        self._kept_pictures: deque[FrameQuality] = deque(maxlen=REMEMBERED_PICTURES)
        self._kept_tracks: dict[int, tuple[int, int]] = {}
        self._sharpness: deque[float] = deque(maxlen=REMEMBERED_SHARPNESS)

    def flaw(self, quality: FrameQuality) -> Flaw | None:
        """What makes the next picture useless; None when nothing does."""
        settings = self._settings
        if quality.dark_share > settings.most_dark:
            return Flaw.DARK
        if quality.bright_share > settings.most_bright:
            return Flaw.BRIGHT
        before = statistics.median(self._sharpness) if self._sharpness else 0.0
        self._sharpness.append(quality.sharpness)
        least = max(settings.least_sharpness, settings.least_relative_sharpness * before)
        return Flaw.BLURRED if quality.sharpness < least else None

    def score(self, observation: Observation, doubts: Iterable[float]) -> FrameScore:
        """What keeping this frame adds.

        Args:
            observation: the frame.
            doubts: how unsure each of its things is in the light of the frame before, 0 to 1.
        """
        settings = self._settings
        objects = observation.objects or ()
        motion = _any_of(self._worth(item) for item in objects)
        # The most doubtful thing: several usual ones together are no doubtful frame.
        uncertainty = max((*(self._doubt(item) for item in objects), *doubts), default=0.0)
        novelty = self._novelty(observation.quality)
        weights = (settings.motion_weight, settings.novelty_weight, settings.uncertainty_weight)
        parts = (motion, novelty, uncertainty)
        total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        return FrameScore(
            motion,
            novelty,
            uncertainty,
            total / max(sum(weights), 1e-9),
            observation.objects is not None,
        )

    def keep(self, observation: Observation) -> None:
        """Remember that a burst around this frame was kept."""
        self._kept_pictures.append(observation.quality)
        now_ns = observation.stamp_ns
        self._kept_tracks = {
            track: (count, seen_ns)
            for track, (count, seen_ns) in self._kept_tracks.items()
            if now_ns - seen_ns <= REMEMBERED_TRACK_NS
        }
        for item in observation.objects or ():
            if item.track_id:
                count, _ = self._kept_tracks.get(item.track_id, (0, 0))
                self._kept_tracks[item.track_id] = (count + 1, now_ns)

    def forget_tracks(self) -> None:
        """The stream starts again, and its track ids mean other things."""
        self._kept_tracks.clear()

    def _novelty(self, quality: FrameQuality) -> float:
        if self._settings.novelty_weight == 0:
            return 0.0
        if not self._kept_pictures:
            return 1.0
        nearest = min(float(difference(quality, kept)) for kept in self._kept_pictures)
        return min(1.0, nearest / self._settings.novel_difference)

    def _worth(self, item: SeenObject) -> float:
        speed = UNKNOWN_SPEED_WORTH
        if not math.isnan(item.speed_mps):
            speed = min(1.0, item.speed_mps / FULL_SPEED_MPS)
        return item.score * _size(item) * speed * self._freshness(item)

    def _doubt(self, item: SeenObject) -> float:
        return (1.0 - abs(2.0 * item.score - 1.0)) * _size(item) * self._freshness(item)

    def _freshness(self, item: SeenObject) -> float:
        count, _ = self._kept_tracks.get(item.track_id, (0, 0))
        return WORTH_AGAIN**count


class LabelDoubts:
    """What two consecutive pseudo-labels disagree about: objects lost, sizes that jump."""

    def __init__(self) -> None:
        self._before: dict[int, SeenObject] = {}

    def update(self, objects: tuple[SeenObject, ...]) -> tuple[float, ...]:
        """The doubts, 0 to 1 each, that this label raises about the one before."""
        now = {item.track_id: item for item in objects if item.track_id}
        doubts = []
        for track, old in self._before.items():
            new = now.get(track)
            if new is None:
                # Who leaves does so at the border.
                doubts.append(0.0 if old.is_cut else _size(old))
            elif not (old.is_cut or new.is_cut) and old.area_share > 0 and new.area_share > 0:
                jump = abs(math.log2(new.area_share / old.area_share))
                doubts.append(min(1.0, jump) * max(_size(old), _size(new)))
        self._before = now
        return tuple(doubts)

    def clear(self) -> None:
        """The stream starts again."""
        self._before = {}


def _size(item: SeenObject) -> float:
    return min(1.0, math.sqrt(item.area_share / FULL_AREA_SHARE))


def _any_of(parts: Iterable[float]) -> float:
    """Several reasons add up, but never beyond 1."""
    return 1.0 - math.prod(1.0 - part for part in parts)
