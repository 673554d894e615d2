"""What the files of one drive say about it, without its pictures: time, pairs, measures, sizes.

The overview makes one per drive and draws and counts from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_training.dataset.drive import SIDES, Drive
from cups_training.dataset.layout import CLAIM, FRAMES, PAIRS, PROVENANCE
from cups_training.overview.reasons import KEPT
from cups_training.whole_files import FileError, json_rows, read_json

WEIGHED = 200


@dataclass(frozen=True)
class PairState:
    """A pair of consecutive frames as recorded.

    Attributes:
        first_s: time of its first frame since the drive's first one, seconds.
        second_s: time of its second frame.
        kind: kept, or the first reason why not.
    """

    first_s: float
    second_s: float
    kind: str


@dataclass(frozen=True, eq=False)
class DriveFacts:
    """One drive.

    Attributes:
        drive: its folder.
        split: train, val, or empty where it stands in no list.
        pairs: all pairs of consecutive frames that were recorded, in order of time.
        times_s: of the frames on disk, seconds since the first recorded frame.
        sharpness: of these frames, NaN where not measured.
        brightness: likewise.
        skews_ms: time of the right picture after the left one; empty where only one stamp is known.
        provenance: what extraction or import was asked for and found; empty for other drives.
        bytes_on_disk: of all pictures, about so much for a large drive.
        is_selected: whether pairs were selected; otherwise all count as kept.
    """

    drive: Drive
    split: str
    pairs: tuple[PairState, ...]
    times_s: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    brightness: NDArray[np.float64]
    skews_ms: NDArray[np.float64]
    provenance: Mapping[str, Any]
    bytes_on_disk: int
    is_selected: bool

    @property
    def name(self) -> str:
        """Of the drive."""
        return self.drive.name

    @property
    def is_measured(self) -> bool:
        """Whether any frame has a sharpness."""
        return not bool(np.isnan(self.sharpness).all())

    @property
    def kinds(self) -> Counter[str]:
        """Number of pairs of each kind."""
        return Counter(pair.kind for pair in self.pairs)

    @property
    def seconds(self) -> float:
        """From the first recorded frame to the last one."""
        ends = [pair.second_s for pair in self.pairs[-1:]] + list(self.times_s[-1:])
        return float(max(ends, default=0.0))

    @property
    def rate_hz(self) -> float:
        """Usual rate of recording; NaN for a drive of one frame."""
        steps = sorted(pair.second_s - pair.first_s for pair in self.pairs)
        return 1 / steps[len(steps) // 2] if steps else math.nan

    @property
    def lost(self) -> dict[str, int]:
        """Recorded pictures that did not become a frame, by reason."""
        return {
            reason: int(loss["count"])
            for reason, loss in self.provenance.get("dropped", {}).items()
        }


def drive_facts(drive: Drive, split: str) -> DriveFacts:
    """Read the files of a drive, line by line.

    Raises:
        FileError: one is missing or broken.
    """
    recorded = list(_recorded_pairs(drive))
    # Where only keyframes were written, recording began before the first of them.
    start_ns = min(
        [*drive.stamps_ns[:1], *(first_ns for first_ns, _, _ in recorded[:1])], default=0
    )
    pairs = tuple(
        PairState(_seconds(first_ns - start_ns), _seconds(second_ns - start_ns), kind)
        for first_ns, second_ns, kind in recorded
    )
    measures = np.array(list(_measures(drive.path / FRAMES)), np.float64).reshape(-1, 3)
    return DriveFacts(
        drive,
        split,
        pairs,
        np.array([_seconds(stamp - start_ns) for stamp in drive.stamps_ns]),
        measures[:, 0],
        measures[:, 1],
        measures[~np.isnan(measures[:, 2]), 2],
        _said_of(drive),
        _weight(drive),
        (drive.path / PAIRS).exists(),
    )


def _said_of(drive: Drive) -> dict[str, Any]:
    paths = [drive.path / name for name in (CLAIM, PROVENANCE)]
    return {key: value for path in paths if path.exists() for key, value in read_json(path).items()}


def _seconds(duration_ns: int) -> float:
    return duration_ns / NANOSECONDS_PER_SECOND


def _recorded_pairs(drive: Drive) -> Iterator[tuple[int, int, str]]:
    """Stamps of each pair and what became of it."""
    for number, row in enumerate(drive.pairs(), start=1):
        try:
            kind = KEPT if row["kept"] else str(row["reasons"][0]).partition(":")[0]
            yield int(row["first_ns"]), int(row["second_ns"]), kind
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise _broken(drive.path / PAIRS, number, problem) from problem


def _measures(path: Path) -> Iterator[tuple[float, float, float]]:
    """Sharpness, brightness and skew of each frame; thumbnails are not kept in memory."""
    for number, row in enumerate(json_rows(path), start=1):
        try:
            right_ns = row.get("right_stamp_ns")
            skew_ms = math.nan if right_ns is None else (right_ns - row["stamp_ns"]) / 1e6
            yield (
                float(row.get("sharpness", math.nan)),
                float(row.get("brightness", math.nan)),
                skew_ms,
            )
        except (TypeError, ValueError) as problem:
            raise _broken(path, number, problem) from problem


def _broken(path: Path, number: int, problem: Exception) -> FileError:
    return FileError(f"{path}, line {number}: {problem!r}; extract the drive again")


def _weight(drive: Drive) -> int:
    """Bytes of all pictures, from the sizes of some."""
    step = max(1, len(drive) // WEIGHED)
    looked_at = range(0, len(drive), step)
    files = [drive.picture(index, side) for index in looked_at for side in SIDES]
    found = sum(file.stat().st_size for file in files if file.exists())
    return round(found * len(drive) / max(1, len(looked_at)))
