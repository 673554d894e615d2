"""What the recorder noted of one run, and the figures that follow from it.

`cups demo` collects the recorder's lines in a `Recording`; report and terminal show its figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LabelledObject:
    """A moving object as it was published; `speed_mps` is None where it is unknown."""

    id: int
    area_px: int
    speed_mps: float | None


@dataclass(frozen=True)
class Label:
    """One published result; `received_ns` is of the system clock."""

    stamp_ns: int
    received_ns: int
    processing_s: float
    recipe: str
    objects: tuple[LabelledObject, ...]


@dataclass(frozen=True)
class Track:
    """An object over time.

    Attributes:
        id: the track id.
        stamps_ns: stamps of the frames in which it was seen.
        speed_mps: median speed over ground, None where it was never known.
        largest_px: its area where it was largest.
    """

    id: int
    stamps_ns: tuple[int, ...]
    speed_mps: float | None
    largest_px: int


@dataclass
class Recording:
    """All events of a run by the stamp of their frame.

    Attributes:
        published_ns: stamp of a played frame -> when the player wrote it, system clock.
        labels: stamp -> result.
        diagnostics: the last figures of each node that publishes some.
    """

    published_ns: dict[int, int] = field(default_factory=dict)
    labels: dict[int, Label] = field(default_factory=dict)
    diagnostics: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        """Takes in one line of the recorder."""
        if event["event"] == "frame":
            self.published_ns[event["stamp_ns"]] = event["published_ns"]
        elif event["event"] == "label":
            self.labels[event["stamp_ns"]] = Label(
                event["stamp_ns"],
                event["received_ns"],
                event["processing_s"],
                event["recipe"],
                tuple(LabelledObject(**item) for item in event["objects"]),
            )
        else:
            self.diagnostics[event["name"]] = event["values"]

    @property
    def dropped(self) -> list[int]:
        """Stamps of the played frames without a result."""
        return sorted(self.published_ns.keys() - self.labels.keys())

    @property
    def has_last_result(self) -> bool:
        """Whether the newest played frame has its result."""
        return max(self.published_ns, default=None) in self.labels

    @property
    def played_hz(self) -> float:
        """Frames per second as they were played, NaN below two."""
        return _rate_hz(self.published_ns.values())

    @property
    def labelled_hz(self) -> float:
        """Results per second as they arrived, NaN below two."""
        return _rate_hz(label.received_ns for label in self.labels.values())

    @property
    def latency_ms(self) -> np.ndarray:
        """From the player's first message of a frame to the arrival of its result, by frame."""
        return np.array(
            [
                (label.received_ns - self.published_ns[stamp_ns]) / 1e6
                for stamp_ns, label in sorted(self.labels.items())
                if stamp_ns in self.published_ns
            ]
        )

    @property
    def processing_ms(self) -> np.ndarray:
        """Time of the computation alone, by frame."""
        return np.array([1e3 * label.processing_s for _, label in sorted(self.labels.items())])

    def tracks(self) -> list[Track]:
        """The objects over time, the longest seen first."""
        seen: dict[int, list[tuple[int, LabelledObject]]] = {}
        for stamp_ns, label in sorted(self.labels.items()):
            for item in label.objects:
                seen.setdefault(item.id, []).append((stamp_ns, item))
        tracks = [
            Track(
                identity,
                tuple(stamp_ns for stamp_ns, _ in views),
                _median(item.speed_mps for _, item in views),
                max(item.area_px for _, item in views),
            )
            for identity, views in seen.items()
        ]
        return sorted(tracks, key=lambda track: (-len(track.stamps_ns), track.id))


def percentiles(values: np.ndarray) -> tuple[float, float, float]:
    """The 50th, 95th and 99th; NaN of nothing."""
    if not values.size:
        return (np.nan, np.nan, np.nan)
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return p50, p95, p99


def _rate_hz(times_ns: Iterable[int]) -> float:
    found = sorted(times_ns)
    span_s = (found[-1] - found[0]) / 1e9 if found else 0.0
    return (len(found) - 1) / span_s if span_s > 0 else float("nan")


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
