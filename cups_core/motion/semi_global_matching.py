"""Semi-global matching (Hirschmueller, PAMI 2008) as OpenCV computes it, for both views of a rectified pair.

The online motion chain calls it once per frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.settings import setting


@dataclass(frozen=True)
class SemiGlobalMatchingSettings:
    """What decides the accuracy and the time of `SemiGlobalMatching`."""

    range_px: int = setting(
        128, "disparities searched, pixels, a multiple of 32", minimum=32, maximum=512
    )
    block_px: int = setting(5, "side of the matched blocks, pixels, odd", minimum=1, maximum=11)


class SemiGlobalMatching:
    """Disparities of both views, matched at half size and with replicated columns beyond the border."""

    def __init__(self, settings: SemiGlobalMatchingSettings = SemiGlobalMatchingSettings()) -> None:
        self.settings = settings

    def disparities(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Disparity of the left and of the right view, pixels, 0 = not found; see `DisparityEstimator`.

        Raises:
            InputError: the images differ in size or have another type.
        """
        if left.shape != right.shape:
            raise InputError(
                f"stereo matching: the images differ in size, {left.shape} and {right.shape}"
            )
        half = [_half_gray(image, name) for image, name in ((left, "left"), (right, "right"))]
        seen_left = self._left_view(half[0], half[1], left.shape[:2])
        seen_right = self._left_view(half[1][:, ::-1], half[0][:, ::-1], left.shape[:2])
        return seen_left, np.ascontiguousarray(seen_right[:, ::-1])

    def _left_view(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        range_px = self.settings.range_px // 2
        block = self.settings.block_px
        matcher = cv2.StereoSGBM.create(
            0,
            range_px,
            block,
            8 * block**2,
            32 * block**2,
            1,
            63,
            10,
            100,
            2,
            cv2.STEREO_SGBM_MODE_SGBM_3WAY,
        )
        padded = [
            cv2.copyMakeBorder(view, 0, 0, range_px, 0, cv2.BORDER_REPLICATE)
            for view in (left, right)
        ]
        found = matcher.compute(*padded)[:, range_px:]
        full = cv2.resize(found, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST).astype(
            np.float32
        )
        return np.asarray(np.maximum(full, 0) * (shape[1] / left.shape[1] / 16), np.float32)


def _half_gray(image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or not (
        image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    ):
        raise InputError(
            f"{name} image: expected uint8 (H, W, 3) or (H, W), found {image.dtype} {image.shape}"
        )
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = ((gray.shape[1] + 1) // 2, (gray.shape[0] + 1) // 2)
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
