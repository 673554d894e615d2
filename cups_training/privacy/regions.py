"""Regions of a picture that nobody may read, and what a detector of them must offer.

Detectors return regions, the anonymizer makes them unreadable; `cups export` fills in the context.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig

Side = Literal["left", "right"]

FACE = "face"
PLATE = "plate"
HEAD_ZONE = "head_zone"
PLATE_ZONE = "plate_zone"
PICTURE = "whole_picture"
DETECTED = (FACE, PLATE)
KINDS = (*DETECTED, HEAD_ZONE, PLATE_ZONE, PICTURE)
"""What a region can be: found by a detector, likely by a label, or a picture nobody judged."""

# Of the smaller region inside the other one: as much as this is one thing found twice.
SAME_THING = 0.5


@dataclass(frozen=True)
class Region:
    """A box in a picture.

    Attributes:
        x: left edge, pixels; pixel i reaches from i to i + 1.
        y: top edge, pixels.
        width: pixels, positive.
        height: pixels, positive.
        kind: one of `KINDS`.
        score: confidence, 0 to 1.

    Raises:
        InputError: an unknown kind, or a box without a finite position and a positive size.
    """

    x: float
    y: float
    width: float
    height: float
    kind: str
    score: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"region: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        box = (self.x, self.y, self.width, self.height)
        if not (all(map(math.isfinite, box)) and self.width > 0 and self.height > 0):
            raise InputError(f"region: expected a finite box of positive size, found {box}")

    def widened(self, share: float) -> Region:
        """The region with `share` of its width and height added on each side."""
        dx, dy = share * self.width, share * self.height
        return Region(
            self.x - dx,
            self.y - dy,
            self.width + 2 * dx,
            self.height + 2 * dy,
            self.kind,
            self.score,
        )

    def covers(self, other: Region) -> float:
        """Share of the smaller of both that lies in the larger one, 0 to 1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        smaller = min(self.width * self.height, other.width * other.height)
        return max(width, 0.0) * max(height, 0.0) / smaller

    def joined(self, other: Region) -> Region:
        """The smallest region that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Region(x, y, right - x, bottom - y, self.kind, max(self.score, other.score))


def merged(regions: Iterable[Region]) -> list[Region]:
    """One region for each thing, in an order that does not depend on that of the input.

    Regions of one kind that mostly overlap are one thing, found by two detectors or in two tiles.
    """
    result: list[Region] = []
    for region in sorted(
        regions, key=lambda r: (-r.width * r.height, r.kind, r.x, r.y, r.width, -r.score)
    ):
        while (same := _same_thing(region, result)) is not None:
            result.remove(same)
            region = region.joined(same)
        result.append(region)
    return sorted(result, key=lambda r: (r.kind, r.y, r.x, r.height, r.width))


def _same_thing(region: Region, others: list[Region]) -> Region | None:
    for other in others:
        if other.kind == region.kind and region.covers(other) >= SAME_THING:
            return other
    return None


@dataclass(frozen=True, eq=False)
class FrameContext:
    """The picture that is looked at and all that is known around it.

    Attributes:
        drive: name of the drive.
        side: which picture of the frame.
        stereo: both pictures as the dataset holds them, before any resizing, with stamp and rig.
    """

    drive: str
    side: Side
    stereo: StereoFrame

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture that is looked at, uint8 (H, W, 3), RGB."""
        return self.stereo.left if self.side == "left" else self.stereo.right

    @property
    def stamp_ns(self) -> int:
        """Stamp of the frame, nanoseconds."""
        return self.stereo.stamp_ns

    @property
    def rig(self) -> StereoRig:
        """Calibration at the size of the pictures."""
        return self.stereo.rig


class RegionDetector(Protocol):
    """Finds what must be made unreadable; can be sent to worker processes (pickle)."""

    def regions(self, frame: FrameContext) -> list[Region]:
        """The regions of one picture, pixels of that picture; may reach beyond its border."""
        ...

    def provenance(self) -> dict[str, Any]:
        """What found them, as the manifest states it: kind, files by sha256, thresholds."""
        ...
