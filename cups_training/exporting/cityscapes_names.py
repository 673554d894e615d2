"""Names as Cityscapes gives them: a drive is a city, a gap-free clip of it a sequence.

The Cityscapes layout and the published trainer's pseudo-labels must agree on every name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cups_core.settings import setting
from cups_training.exporting.frames import ExportedDrive, ExportedFrame
from cups_training.whole_files import FileError

SEQUENCE_FRAMES = 30
"""Cityscapes cuts its sequences to this length, and the published stage 1 insists on it."""


@dataclass(frozen=True)
class SequenceSettings:
    """Which frames get a name."""

    whole_sequences: bool = setting(
        False,
        "leave out up to 29 frames at the end of each clip, so that sequences have multiples of "
        "30 frames: the published stage 1 demands it, its stages 2 and 3 do not",
    )


class NamedFrame(NamedTuple):
    """A frame and its name.

    Attributes:
        frame: of the drive.
        name: <city>_<sequence>_<frame>; empty where the frame is left out.
    """

    frame: ExportedFrame
    name: str


def cities(drives: Sequence[str]) -> dict[str, str]:
    """The city of each drive: its name without underscores, which separate the parts of a name.

    Raises:
        FileError: two drives would be one city.
    """
    found = {drive: re.sub(r"[^A-Za-z0-9.]", "-", drive) for drive in drives}
    counts = Counter(found.values())
    same = [drive for drive, city in found.items() if counts[city] > 1]
    if same:
        raise FileError(
            f"drives {', '.join(same)}: their names as cities of Cityscapes would be the same "
            f"({found[same[0]]}); rename one"
        )
    return found


def named_frames(
    drive: ExportedDrive, city: str, settings: SequenceSettings
) -> Iterator[NamedFrame]:
    """The frames of a drive with their names: clip number and index in the drive, six digits."""
    length_of = Counter(drive.drive.clips)
    seen: Counter[int] = Counter()
    for frame in drive.frames():
        seen[frame.clip] += 1
        tail = length_of[frame.clip] % SEQUENCE_FRAMES if settings.whole_sequences else 0
        is_kept = seen[frame.clip] <= length_of[frame.clip] - tail
        yield NamedFrame(frame, f"{city}_{frame.clip:06d}_{frame.index:06d}" if is_kept else "")
