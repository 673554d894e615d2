"""Decides, frame by frame, which bursts of a drive are kept.

A burst is a keyframe with its neighbours, since motion is only seen between frames. The harvest
node feeds it with every stereo pair; the same observations give the same bursts.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.harvesting.budget import Budget, BudgetSettings
from cups_core.harvesting.observation import Observation
from cups_core.harvesting.scoring import (
    Flaw,
    FrameScore,
    FrameScoring,
    LabelDoubts,
    ScoreSettings,
)
from cups_core.harvesting.threshold import AdaptiveThreshold, ThresholdSettings
from cups_core.settings import setting

# A part of a score below this is not what a burst was kept for.
WORTH_TELLING = 0.2
COST_MEMORY = 0.8


@dataclass(frozen=True)
class BurstSettings:
    """What is kept around a keyframe."""

    frames_before: int = setting(1, "frames kept before each keyframe", minimum=0, maximum=100)
    frames_after: int = setting(
        2, "frames kept after each keyframe; motion needs one at least", minimum=1, maximum=100
    )
    maximum_gap_s: float = setting(
        0.5, "a longer time between two frames ends a burst", minimum=0.01, maximum=10.0
    )


@dataclass(frozen=True)
class HarvestSettings(ScoreSettings, BurstSettings, ThresholdSettings, BudgetSettings):
    """Every knob of the harvest policy."""


class DropReason(enum.Enum):
    """Why a frame that has no flaw was not kept."""

    NOTHING_NEW = "nothing moves and nothing is new"
    NOT_AMONG_THE_BEST = "others were worth more of the budget"
    BUDGET = "budget spent"
    NO_NEXT_FRAME = "no next frame to see motion by"


class Dropped(NamedTuple):
    """A frame that is not kept."""

    stamp_ns: int
    reason: DropReason | Flaw


@dataclass(frozen=True)
class Burst:
    """Frames that are kept together.

    Attributes:
        keyframe_ns: stamp of the frame that earned it.
        stamps_ns: of the frames to write, ascending; what an earlier burst kept is not repeated.
        score: of the keyframe.
        threshold: that it had to reach.
        reasons: what it was kept for.
    """

    keyframe_ns: int
    stamps_ns: tuple[int, ...]
    score: FrameScore
    threshold: float
    reasons: tuple[str, ...]


class Verdict(NamedTuple):
    """What is decided now: frames to forget and bursts to write, both in order of time."""

    dropped: tuple[Dropped, ...]
    bursts: tuple[Burst, ...]


@dataclass
class _Frame:
    observation: Observation
    doubts: tuple[float, ...]
    flaw: Flaw | None
    is_kept: bool = False
    drop_reason: DropReason | Flaw = DropReason.NO_NEXT_FRAME


class HarvestPolicy:
    """Frames in order of time go in, verdicts come out a few frames later.

    A frame is judged once `frames_after` more are there, so a burst is written whole. Who writes
    it tells `charge` how many bytes that took.

    Attributes:
        budget: what may still be written.
        threshold: the score that the last judged frame had to reach.
    """

    def __init__(self, settings: HarvestSettings = HarvestSettings()) -> None:
        self.budget = Budget(settings)
        self.threshold = settings.minimum_score
        self._settings = settings
        self._scoring = FrameScoring(settings)
        self._doubts = LabelDoubts()
        self._scores = AdaptiveThreshold(settings)
        # The frames that a burst may still take, oldest first; the first `_judged` of them have
        # been keyframe candidates already.
        self._frames: deque[_Frame] = deque()
        self._judged = 0
        self._newest_ns: int | None = None
        self._burst_bytes = 0.0

    def observe(self, observation: Observation) -> Verdict:
        """Take the next frame.

        A gap or a clock that jumps back ends the burst in progress.
        """
        ended = Verdict((), ())
        if self._newest_ns is not None:
            passed_ns = observation.stamp_ns - self._newest_ns
            if not 0 < passed_ns <= self._settings.maximum_gap_s * NANOSECONDS_PER_SECOND:
                ended = self.finish()
            if passed_ns <= 0:
                self._scores.clear()
            self.budget.pass_time(max(0, passed_ns) / NANOSECONDS_PER_SECOND)
        self._newest_ns = observation.stamp_ns
        doubts = () if observation.objects is None else self._doubts.update(observation.objects)
        self._frames.append(_Frame(observation, doubts, self._scoring.flaw(observation.quality)))
        bursts = []
        if len(self._frames) - self._judged > self._settings.frames_after:
            bursts = self._judge()
        return Verdict(ended.dropped + self._forget(), ended.bursts + tuple(bursts))

    def finish(self) -> Verdict:
        """Judge what is left with the neighbours that are there; the next frame starts anew."""
        bursts: list[Burst] = []
        while len(self._frames) - self._judged > 1:
            bursts += self._judge()
        dropped = tuple(_dropped(frame) for frame in self._frames if not frame.is_kept)
        self._frames.clear()
        self._judged = 0
        self._doubts.clear()
        self._scoring.forget_tracks()
        return Verdict(dropped, tuple(bursts))

    def charge(self, written_bytes: int) -> None:
        """Take the bytes of a written burst from the budget."""
        self.budget.charge(written_bytes)
        self._burst_bytes += (1.0 - COST_MEMORY) * (written_bytes - self._burst_bytes)

    def _judge(self) -> list[Burst]:
        """The oldest frame that was no candidate yet becomes one."""
        place = self._judged
        self._judged += 1
        frame, following = self._frames[place], self._frames[place + 1]
        flaw = frame.flaw or following.flaw
        if flaw:
            frame.drop_reason = flaw
            return []
        score = self._scoring.score(frame.observation, frame.doubts)
        # Frames compete with those that could have been paid for: while a burst is paid off,
        # nothing is kept, so everything goes on looking new.
        if self.budget.available > 0:
            self._scores.add(frame.observation.stamp_ns, score.total)
        first = max(0, place - self._settings.frames_before)
        last = min(len(self._frames), place + 1 + self._settings.frames_after)
        burst = [self._frames[i] for i in range(first, last) if not self._frames[i].is_kept]
        if not burst:
            return []
        if not self._burst_bytes:
            self._burst_bytes = float(sum(item.observation.size_bytes for item in burst))
        self.threshold = self._scores.value(self._affordable_share())
        if score.total < self._settings.minimum_score:
            frame.drop_reason = DropReason.NOTHING_NEW
            return []
        if self.budget.available <= 0:
            frame.drop_reason = DropReason.BUDGET
            return []
        if score.total < self.threshold:
            frame.drop_reason = DropReason.NOT_AMONG_THE_BEST
            return []
        for item in burst:
            item.is_kept = True
        self._scoring.keep(frame.observation)
        return [
            Burst(
                frame.observation.stamp_ns,
                tuple(item.observation.stamp_ns for item in burst),
                score,
                self.threshold,
                _reasons(score, self._settings),
            )
        ]

    def _affordable_share(self) -> float:
        """Which share of the frames may become keyframes.

        That is the share which the budget pays for in the long run, more of it when savings are
        about to overflow, less when they are nearly spent.
        """
        rate_hz = self._scores.rate_hz()
        fill = self.budget.fill
        if rate_hz == 0 or fill >= 1:
            return 1.0
        share = self.budget.rate / (max(1.0, self._burst_bytes) * rate_hz)
        return share * fill / (1.0 - fill)

    def _forget(self) -> tuple[Dropped, ...]:
        """Let go of frames that no later burst can take."""
        dropped = []
        while self._judged > self._settings.frames_before:
            frame = self._frames.popleft()
            self._judged -= 1
            if not frame.is_kept:
                dropped.append(_dropped(frame))
        return tuple(dropped)


def _dropped(frame: _Frame) -> Dropped:
    return Dropped(frame.observation.stamp_ns, frame.drop_reason)


def _reasons(score: FrameScore, settings: HarvestSettings) -> tuple[str, ...]:
    """The parts that count, strongest first."""
    parts = {
        "motion": settings.motion_weight * score.motion,
        "novelty": settings.novelty_weight * score.novelty,
        "uncertainty": settings.uncertainty_weight * score.uncertainty,
    }
    ranked = sorted(parts, key=lambda name: -parts[name])
    return tuple(
        name for name in ranked if name == ranked[0] or getattr(score, name) >= WORTH_TELLING
    )
