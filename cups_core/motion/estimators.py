"""What optical flow and disparity estimators must offer; the motion stages take any that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


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


Memory = TypeVar("Memory")


@dataclass(frozen=True, eq=False)
class StereoLook(Generic[Memory]):
    """What a matcher found in one stereo frame, and what it keeps of it for later comparisons.

    Attributes:
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        disparity_right: float32 (H, W), right view.
        memory: of the left image, in the matcher's own form.
    """

    disparity: NDArray[np.float32]
    disparity_right: NDArray[np.float32]
    memory: Memory


class StereoMatcher(Protocol[Memory]):
    """Looks at each frame of a drive once and compares any two of them."""

    def look(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> StereoLook[Memory]:
        """Disparities of a frame; images are uint8 (H, W, 3) RGB."""
        ...

    def compare(
        self,
        first: StereoLook[Memory],
        second: StereoLook[Memory],
        start_forward: NDArray[np.float32] | None = None,
        start_backward: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Flow from the first left image to the second, and back.

        Args:
            first: of one frame.
            second: of another one of the same size.
            start_forward: a first guess (H, W, 2), pixels; a matcher that searches everywhere may
                do without.
            start_backward: the same for the way back.

        Returns:
            Two float32 (H, W, 2), pixels: channel 0 = x right, 1 = y down.
        """
        ...


class EstimatorPair:
    """A flow and a disparity estimator as one `StereoMatcher`; it remembers the left picture."""

    def __init__(self, flow: FlowEstimator, disparity: DisparityEstimator) -> None:
        self._flow = flow
        self._disparity = disparity

    def look(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8]
    ) -> StereoLook[NDArray[np.uint8]]:
        """See `StereoMatcher.look`."""
        return StereoLook(*self._disparity.disparities(left, right), left)

    def compare(
        self,
        first: StereoLook[NDArray[np.uint8]],
        second: StereoLook[NDArray[np.uint8]],
        start_forward: NDArray[np.float32] | None = None,
        start_backward: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `StereoMatcher.compare`."""
        return (
            self._flow.flow(first.memory, second.memory, start_forward),
            self._flow.flow(second.memory, first.memory, start_backward),
        )
