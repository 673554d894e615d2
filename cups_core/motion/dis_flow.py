"""Dense Inverse Search optical flow (Kroeger et al., ECCV 2016) as OpenCV computes it.

The online motion chain calls it twice per frame, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.settings import setting


@dataclass(frozen=True)
class DisFlowSettings:
    """What decides the accuracy and the time of `DisFlow`."""

    finest_scale: int = setting(
        2, "finest pyramid level searched, 0 = full size", minimum=0, maximum=4
    )
    patch_size: int = setting(
        8, "side of the square patches that are matched, pixels", minimum=4, maximum=16
    )
    patch_stride: int = setting(
        4, "distance between neighbouring patches, pixels", minimum=1, maximum=16
    )
    search_iterations: int = setting(
        16, "gradient descent steps per patch and level", minimum=1, maximum=64
    )
    refinement_iterations: int = setting(
        5, "variational refinement steps per level", minimum=0, maximum=32
    )


class DisFlow:
    """Optical flow by inverse search over patches and variational refinement, the same for any number of threads."""

    def __init__(self, settings: DisFlowSettings = DisFlowSettings()) -> None:
        self.settings = settings

    def flow(
        self,
        first: NDArray[np.uint8],
        second: NDArray[np.uint8],
        start: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Displacement from `first` to `second`, float32 (H, W, 2), pixels; see `FlowEstimator`.

        Raises:
            InputError: the images or the first guess differ in size or have another type.
        """
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        search.setFinestScale(self.settings.finest_scale)
        search.setPatchSize(self.settings.patch_size)
        search.setPatchStride(self.settings.patch_stride)
        search.setGradientDescentIterations(self.settings.search_iterations)
        search.setVariationalRefinementIterations(self.settings.refinement_iterations)
        pair = [_gray(image, name) for image, name in ((first, "first"), (second, "second"))]
        if pair[0].shape != pair[1].shape:
            raise InputError(
                f"flow: the images differ in size, {pair[0].shape} and {pair[1].shape}"
            )
        if start is not None and (start.shape != (*pair[0].shape, 2) or start.dtype != np.float32):
            raise InputError(
                f"flow: expected a first guess float32 {(*pair[0].shape, 2)}, found {start.dtype} {start.shape}"
            )
        # The search writes into the array it is given; an empty one means that there is no first guess.
        found = np.empty((0, 0), np.float32) if start is None else start.copy()
        return search.calc(pair[0], pair[1], found).astype(np.float32, copy=False)


def _gray(image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or not (
        image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    ):
        raise InputError(
            f"{name} image: expected uint8 (H, W, 3) or (H, W), found {image.dtype} {image.shape}"
        )
    return (
        image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    )
