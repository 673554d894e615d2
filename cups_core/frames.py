"""Rectified stereo frames and pairs of them in time: what every stage takes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.rig import StereoRig

NANOSECONDS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, eq=False)
class StereoFrame:
    """One rectified stereo image pair.

    Attributes:
        left: uint8 (H, W, 3), RGB.
        right: uint8 (H, W, 3), RGB.
        stamp_ns: time of the left image's header, nanoseconds.
        rig: the rig at this image size.

    Raises:
        InputError: an image has another shape or type than the rig says.
    """

    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    stamp_ns: int
    rig: StereoRig

    def __post_init__(self) -> None:
        expected = (*self.rig.shape, 3)
        for side, image in (("left", self.left), ("right", self.right)):
            if image.shape != expected or image.dtype != np.uint8:
                raise InputError(
                    f"{side} image at {self.stamp_ns} ns: expected uint8 {expected} "
                    f"as the calibration says, found {image.dtype} {image.shape}"
                )


@dataclass(frozen=True, eq=False)
class StereoPair:
    """Two frames of one drive, `first` (t) before `second` (t+1).

    Raises:
        InputError: the frames are not in time order or differ in size.
    """

    first: StereoFrame
    second: StereoFrame

    def __post_init__(self) -> None:
        if self.second.stamp_ns <= self.first.stamp_ns:
            raise InputError(
                f"stereo pair: the second frame ({self.second.stamp_ns} ns) must be later than "
                f"the first ({self.first.stamp_ns} ns)"
            )
        if self.first.rig.shape != self.second.rig.shape:
            raise InputError(
                f"stereo pair: sizes differ, {self.first.rig.shape} and {self.second.rig.shape}"
            )

    @property
    def interval_s(self) -> float:
        """Time between the frames, seconds."""
        return (self.second.stamp_ns - self.first.stamp_ns) / NANOSECONDS_PER_SECOND
