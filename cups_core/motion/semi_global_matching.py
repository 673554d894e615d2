"""Semi-global matching (Hirschmueller, PAMI 2008) as OpenCV computes it, for both stereo views.

The online motion chain calls it once per frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.motion.gray import GrayImage, gray_pair
from cups_core.settings import setting

STEPS_PER_PIXEL = 16
"""OpenCV's unit of disparity: sixteenths of a pixel."""

_BLOCK_PX = 5
_PENALTY_OF_A_STEP = 8 * _BLOCK_PX**2
_PENALTY_OF_A_JUMP = 32 * _BLOCK_PX**2
_GRADIENT_CAP = 31
_LOCAL_MEAN_PX = 15
_SPECKLE_STEP_PX = 1
# Neighbours further apart than this lie on two surfaces, and what is between them on neither.
SAME_SURFACE_PX = 1.5


@dataclass(frozen=True)
class SemiGlobalMatchingSettings:
    """What decides the accuracy and the time of `SemiGlobalMatching`.

    The defaults hold the online rate at 640x1280; `benchmark/disparity.py` prints what others cost
    and bring.
    """

    range_px: int = setting(
        128, "disparities searched, pixels, a multiple of 16 x downscale", minimum=16, maximum=1024
    )
    downscale: int = setting(
        2, "images are matched at their size divided by this", minimum=1, maximum=4
    )
    uniqueness_percent: int = setting(
        5, "the best match must beat the second by this much to count", minimum=0, maximum=50
    )
    speckle_px: int = setting(
        800, "smaller islands of disparity are removed, pixels", minimum=0, maximum=9999
    )


class SemiGlobalMatching:
    """Disparities of both views, matched along three paths on a smaller image.

    Half the local mean is taken off first: the cameras may differ in gain and exposure, and still a
    dark, smooth surface keeps the contrast of its outline.

    Raises:
        InputError: the range is no multiple of 16 x downscale.
    """

    def __init__(self, settings: SemiGlobalMatchingSettings = SemiGlobalMatchingSettings()) -> None:
        step = 16 * settings.downscale
        if settings.range_px % step:
            raise InputError(
                f"range_px: expected a multiple of {step} at downscale {settings.downscale}, "
                f"found {settings.range_px}"
            )
        self.settings = settings

    def disparities(
        self, left: NDArray[np.uint8], right: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Disparity of both views, pixels, 0 = not found; see `DisparityEstimator`.

        Raises:
            InputError: the images differ in size or have another type.
        """
        images = gray_pair(left, right, "left and right")
        small_left, small_right = (self._prepared(image) for image in images)
        seen_left = self._left_view(small_left, small_right)
        seen_right = self._left_view(cv2.flip(small_right, 1), cv2.flip(small_left, 1))
        shape = images[0].shape
        views = seen_left, cv2.flip(seen_right, 1)
        first, second = (_in_pixels(view, *shape) for view in views)
        return first, second

    def _prepared(self, image: GrayImage) -> GrayImage:
        factor = self.settings.downscale
        size = (-(-image.shape[1] // factor), -(-image.shape[0] // factor))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(
            cv2.addWeighted(small, 1.0, cv2.blur(small, (_LOCAL_MEAN_PX,) * 2), -0.5, 64.0),
            np.uint8,
        )

    def _left_view(self, left: GrayImage, right: GrayImage) -> NDArray[np.int16]:
        count = self.settings.range_px // self.settings.downscale
        matcher = cv2.StereoSGBM.create(
            minDisparity=0,
            numDisparities=count,
            blockSize=_BLOCK_PX,
            P1=_PENALTY_OF_A_STEP,
            P2=_PENALTY_OF_A_JUMP,
            disp12MaxDiff=1,
            preFilterCap=_GRADIENT_CAP,
            uniquenessRatio=self.settings.uniqueness_percent,
            speckleWindowSize=self.settings.speckle_px // self.settings.downscale**2,
            speckleRange=_SPECKLE_STEP_PX,
            mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
        )
        # OpenCV leaves as many first columns empty as there are disparities: let them be replicas.
        padded = [
            cv2.copyMakeBorder(view, 0, 0, count, 0, cv2.BORDER_REPLICATE) for view in (left, right)
        ]
        return np.ascontiguousarray(matcher.compute(*padded)[:, count:], np.int16)


def _in_pixels(view: NDArray[np.int16], height: int, width: int) -> NDArray[np.float32]:
    if view.shape == (height, width):
        return np.asarray(np.maximum(view, 0) / np.float32(STEPS_PER_PIXEL), np.float32)
    return np.asarray(enlarge_disparity(view, height, width, 1.0 / STEPS_PER_PIXEL), np.float32)


@kernel
def enlarge_disparity(
    found: NDArray[np.int16] | NDArray[np.float32], height: int, width: int, unit_px: float
) -> NDArray[np.float32]:
    """A disparity map at a larger size: interpolated within a surface, nearest value across edges.

    Args:
        found: (h, w), in units of `unit_px` pixels of its own size, not positive = unknown.
        height: rows of the result.
        width: columns of the result.
        unit_px: pixels per unit.

    Returns:
        float32 (height, width), pixels of the larger size, 0 = unknown.
    """
    rows, columns = found.shape
    step_y, step_x = rows / height, columns / width
    to_pixels = np.float32(width / columns * unit_px)
    same_surface = SAME_SURFACE_PX / unit_px
    left = np.empty(width, np.int64)
    share = np.empty(width, np.float32)
    for x in range(width):
        at = min(max((x + 0.5) * step_x - 0.5, 0.0), columns - 1.0)
        left[x] = min(int(at), columns - 2)
        share[x] = at - left[x]
    result = np.empty((height, width), np.float32)
    for y in range(height):
        at = min(max((y + 0.5) * step_y - 0.5, 0.0), rows - 1.0)
        top = min(int(at), rows - 2)
        b = np.float32(at - top)
        upper, lower = found[top], found[top + 1]
        nearest = upper if b < 0.5 else lower
        for x in range(width):
            i, a = left[x], share[x]
            d00, d01, d10, d11 = upper[i], upper[i + 1], lower[i], lower[i + 1]
            low, high = min(min(d00, d01), min(d10, d11)), max(max(d00, d01), max(d10, d11))
            if low > 0 and high - low <= same_surface:
                value = (1 - b) * ((1 - a) * d00 + a * d01) + b * ((1 - a) * d10 + a * d11)
            else:
                value = np.float32(max(nearest[i] if a < 0.5 else nearest[i + 1], 0))
            result[y, x] = value * to_pixels
    return result
