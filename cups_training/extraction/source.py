"""What extraction takes in: stereo pairs in the order of recording, whatever they were stored as.

Bags and image folders are such sources; `extract_drive` writes any of them as a drive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cups_core.camera_calibration import CameraCalibration


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image, not decoded yet.

    Attributes:
        stamp_ns: of its header, nanoseconds.
        decode: uint8 (H, W, 3), RGB, or (H, W) of a gray camera; raises InputError where the data
            are no such picture. It is called from other threads, at most once at a time.
        encoded: gives the file (PNG, JPEG) that the image was recorded as, or None; it can become
            part of the dataset bit for bit. Called from other threads as well.
    """

    stamp_ns: int
    decode: Callable[[], NDArray[np.uint8]]
    encoded: Callable[[], bytes | None] = lambda: None


class SourcePair(NamedTuple):
    """The images of one moment; the left one's stamp is the frame's."""

    left: SourceImage
    right: SourceImage


@dataclass
class Drops:
    """What did not become a frame.

    Attributes:
        counts: how often, by reason ("left: no partner within the tolerance").
        examples: the first case of each reason in words, where there is more to say.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, count: int = 1, example: str = "") -> None:
        """Count a loss."""
        if count:
            self.counts[reason] += count
            if example:
                self.examples.setdefault(reason, example)

    def update(self, other: Drops) -> None:
        """Count what another one counted."""
        for reason, count in other.counts.items():
            self.add(reason, count, other.examples.get(reason, ""))


class StereoSource(Protocol):
    """A recorded drive of a stereo rig that can be read again and again."""

    @property
    def name(self) -> str:
        """Of the drive's folder."""
        ...

    @property
    def left(self) -> CameraCalibration:
        """Calibration of the left camera."""
        ...

    @property
    def right(self) -> CameraCalibration:
        """Calibration of the right camera."""
        ...

    @property
    def is_rectified(self) -> bool:
        """Whether the pictures are rectified as they come, whatever the calibration undoes."""
        ...

    @property
    def length(self) -> int | None:
        """About how many pairs will come, None where that is unknown; for the progress bar."""
        ...

    @property
    def drops(self) -> Drops:
        """What the last reading lost before it became a pair; whole when `pairs` has ended."""
        ...

    def identity(self) -> dict[str, Any]:
        """What says, before anything is read, which recording this is: JSON, the same every time.

        Files by name, size and a hash of their ends, topics, tolerances. A drive that was begun
        goes on only with a source of the same identity.
        """
        ...

    def pairs(self) -> Iterator[SourcePair]:
        """All pairs from the beginning; stamps ascend except where the clock jumped back.

        Raises:
            CupsError: nothing (more) can be read and that could not be told as a loss.
        """
        ...

    def provenance(self) -> dict[str, Any]:
        """Where the pictures come from, for the manifest; asked when `pairs` has ended.

        JSON that is the same every time: no wall-clock time, host or absolute path. Its "files"
        are a list of {"name", "bytes", "sha256"}, its "notes" a list of sentences for people: what
        was found that is no loss of single images (a damaged file, a topic that stops early).
        """
        ...
