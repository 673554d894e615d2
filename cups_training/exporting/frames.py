"""A drive as formats see it: its frames one by one, each with pictures, clip and label.

Exporting makes one for every drive; formats go through it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cups_core.frames import StereoFrame
from cups_core.panoptic import PanopticMap
from cups_training.dataset.drive import Drive
from cups_training.exporting.labels import LabelReader

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, eq=False)
class ExportedFrame:
    """One frame of a drive.

    Attributes:
        drive: it belongs to.
        split: of the drive.
        index: in the drive.
        clip: number of the gap-free part of the drive it lies in.
        stamp_ns: of the left picture, nanoseconds.
        entry: its annotation in panoptic.json, None where it has no label.
        labels: the recipe that is exported, None without one.
    """

    drive: Drive
    split: str
    index: int
    clip: int
    stamp_ns: int
    entry: Mapping[str, Any] | None
    labels: LabelReader | None

    @property
    def name(self) -> str:
        """Unique in the dataset: drive and stamp."""
        return f"{self.drive.name}_{self.stamp_ns}"

    @property
    def is_labelled(self) -> bool:
        """Whether the recipe has a label of it."""
        return self.entry is not None

    @cached_property
    def label(self) -> PanopticMap:
        """Its label; void everywhere where it has none."""
        if self.labels is None or self.entry is None:
            return PanopticMap(np.zeros(self.drive.rig.shape, np.uint16), ())
        return self.labels.decode(self.entry)

    @cached_property
    def stereo(self) -> StereoFrame:
        """Its pictures."""
        return self.drive.frame(self.index)

    def file(self, side: Side) -> Path:
        """One of its pictures."""
        return self.drive.picture(self.index, side)


@dataclass(frozen=True, eq=False)
class ExportedDrive:
    """One drive.

    Attributes:
        drive: it is.
        split: it belongs to.
        truth: folder of its truth; empty or missing for recorded drives.
        labels: the recipe that is exported, None without one.
    """

    drive: Drive
    split: str
    truth: Path
    labels: LabelReader | None

    @property
    def name(self) -> str:
        """Of the drive."""
        return self.drive.name

    def frames(self) -> Iterator[ExportedFrame]:
        """All frames in order of time."""
        clips = self.drive.clips
        for index, stamp in enumerate(self.drive.stamps_ns):
            entry = self.labels.take(self.drive.name, stamp) if self.labels else None
            yield ExportedFrame(
                self.drive, self.split, index, clips[index], stamp, entry, self.labels
            )
