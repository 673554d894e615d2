"""What optical flow and disparity estimators must offer; the motion stages take any that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame


class FlowEstimator(Protocol):
    """Dense optical flow between two images of one camera."""

    def flow(
        self,
        first: NDArray[np.uint8],
        second: NDArray[np.uint8],
        start: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Displacement from `first` to `second`.

        Args:
            first: uint8 (H, W, 3) RGB or (H, W) gray.
            second: the same shape.
            start: a first guess (H, W, 2), pixels; None where there is none.

        Returns:
            float32 (H, W, 2), pixels: channel 0 = x right, 1 = y down.
        """
        ...


class DisparityEstimator(Protocol):
    """Dense disparity of a rectified stereo pair, seen from both cameras."""

    def disparities(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Disparity of the left and of the right view.

        Args:
            left: uint8 (H, W, 3) RGB or (H, W) gray.
            right: the same shape.

        Returns:
            Two float32 (H, W) maps, pixels, positive; 0 where nothing was found. Left pixel (x, y)
            matches (x - d, y) in the right image, right pixel (x, y) matches (x + d, y) in the left
            one.
        """
        ...


@dataclass(frozen=True, eq=False)
class StereoMatches:
    """What was measured of a frame of a stream, at image size.

    Attributes:
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        disparity_right: float32 (H, W), right view.
        flow_backward: float32 (H, W, 2), this left image to the one before, pixels; None in the
            first frame.
        flow_forward: float32 (H, W, 2), the left image before to this one; None in the first frame.
    """

    disparity: NDArray[np.float32]
    disparity_right: NDArray[np.float32]
    flow_backward: NDArray[np.float32] | None
    flow_forward: NDArray[np.float32] | None


class StreamMatcher(Protocol):
    """Measures the frames of a drive one after another and shares work between them."""

    def reset(self) -> None:
        """Forget the past: the next frame counts as the first."""
        ...

    def advance(self, frame: StereoFrame) -> StereoMatches:
        """Disparities of this frame, and flow to and from the one before.

        Another image size counts as a first frame; gaps in time are for the caller to judge.
        """
        ...
