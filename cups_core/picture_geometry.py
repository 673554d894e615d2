"""Cuts and resizes the pictures of a rig, and the rig along with them.

`cups extract` and `cups import` use it, so that a smaller dataset keeps right metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.rig import StereoRig


@dataclass(frozen=True)
class PictureGeometry:
    """First the crop, then the size; without both the pictures stay as they are.

    Attributes:
        crop: (left, top, width, height) of the window that is kept, pixels.
        size: (width, height) that the window is resized to, pixels.
    """

    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None

    @property
    def is_identity(self) -> bool:
        """Whether nothing changes."""
        return self.crop is None and self.size is None

    def rig(self, rig: StereoRig) -> StereoRig:
        """The rig of the pictures that `picture` gives.

        Raises:
            InputError: the crop leaves the picture, or the size is larger than the window.
        """
        window = rig if self.crop is None else rig.cropped(*self.crop)
        if self.size is None:
            return window
        _check_smaller(self.size, window.width, window.height)
        return window.resized(*self.size)

    def picture(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture uint8 (H, W) or (H, W, 3), cut and resized.

        Raises:
            InputError: the crop leaves the picture, or the size is larger than the window.
        """
        found = picture
        if self.crop is not None:
            left, top, width, height = self.crop
            found = picture[max(top, 0) : top + height, max(left, 0) : left + width]
            if found.shape[:2] != (height, width):
                raise InputError(
                    f"crop {width}x{height} at ({left}, {top}) leaves the image of "
                    f"{picture.shape[1]}x{picture.shape[0]}"
                )
        if self.size is None:
            return found
        _check_smaller(self.size, found.shape[1], found.shape[0])
        # The mean over the area of each new pixel: no aliasing, and pixel centres as the rig moves.
        return np.asarray(cv2.resize(found, self.size, interpolation=cv2.INTER_AREA), np.uint8)

    def parameters(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            "crop": None if self.crop is None else list(self.crop),
            "size": None if self.size is None else list(self.size),
        }


def _check_smaller(size: tuple[int, int], width: int, height: int) -> None:
    if not (0 < size[0] <= width and 0 < size[1] <= height):
        raise InputError(
            f"size: expected at most {width}x{height}, found {size[0]}x{size[1]}: enlarging adds "
            "no information"
        )
