"""Two images of one size as gray ones: flow and disparity estimators match brightness.

They call it first, so it is also where unfit images are refused.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

GrayImage = NDArray[np.uint8]

# Below this side the coarse pyramid levels and the matched patches no longer fit into the image.
MINIMUM_SIDE_PX = 32


def gray_pair(
    first: NDArray[np.uint8], second: NDArray[np.uint8], names: str
) -> tuple[GrayImage, GrayImage]:
    """Both images as uint8 (H, W).

    Args:
        first: uint8 (H, W, 3) RGB or (H, W) gray.
        second: the same size, of either kind.
        names: what the two are, for the message, as in "left and right".

    Raises:
        InputError: another type or shape, sizes that differ, or a side under 32 pixels.
    """
    for image in (first, second):
        if image.dtype != np.uint8 or not (
            image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
        ):
            raise InputError(
                f"{names} image: expected uint8 (H, W, 3) RGB or (H, W) gray, "
                f"found {image.dtype} {image.shape}"
            )
    if first.shape[:2] != second.shape[:2]:
        raise InputError(
            f"{names} image: expected one size, found {_size(first)} and {_size(second)}; "
            "take both from one camera stream at one resolution"
        )
    if min(first.shape[:2]) < MINIMUM_SIDE_PX:
        raise InputError(
            f"{names} image: expected at least {MINIMUM_SIDE_PX} px a side, found {_size(first)}"
        )
    return _gray(first), _gray(second)


def _gray(image: NDArray[np.uint8]) -> GrayImage:
    return (
        image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    )


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
