"""Fits an image of any size into the one size that a graph takes, and brings places back.

The predictor uses it for every backend: scaled to fit, placed at the top left, zeros after
normalisation to the right and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.runtime.sidecar import ModelInput


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in the graph's input.

    Attributes:
        width, height: of the image, pixels.
        valid_width, valid_height: of the image in the input, pixels.
    """

    width: int
    height: int
    valid_width: int
    valid_height: int

    @classmethod
    def of(cls, width: int, height: int, place: ModelInput) -> Letterbox:
        """The largest that keeps the image's shape and fits into the input."""
        scale = min(place.width / width, place.height / height)
        return cls(
            width,
            height,
            min(max(round(width * scale), 1), place.width),
            min(max(round(height * scale), 1), place.height),
        )

    @property
    def enlargement(self) -> tuple[float, float]:
        """Pixels of the image for one of the input, along x and y."""
        return self.width / self.valid_width, self.height / self.valid_height

    def clipped(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) of the input without what lies over the padding."""
        width, height = self.valid_width, self.valid_height
        return boxes.clip(0, np.array([width, height, width, height], np.float32))


def check_image(image: NDArray[np.generic]) -> None:
    """Complain unless it is uint8 (H, W, 3).

    Raises:
        InputError: another type or shape, or no pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"image: expected uint8 RGB (H, W, 3), found {image.dtype} {image.shape}"
            + (": repeat a gray image three times" if image.ndim == 2 else "")
            + (": multiply values of 0 to 1 by 255" if image.dtype.kind == "f" else "")
        )


def fill(
    image: NDArray[np.uint8],
    letterbox: Letterbox,
    place: ModelInput,
    tensor: NDArray[np.float32],
) -> None:
    """Write an image, scaled and normalised, into a graph's input.

    Args:
        image: RGB, of the letterbox's size.
        letterbox: where it belongs.
        place: mean and deviation.
        tensor: (1, 3, H, W), overwritten.
    """
    width, height = letterbox.valid_width, letterbox.valid_height
    if (width, height) != (letterbox.width, letterbox.height):
        shrinks = width < letterbox.width
        # Areas are averaged where pixels become fewer: no aliases of fences and lane marks.
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)
    tensor[0, :, height:] = 0
    tensor[0, :, :height, width:] = 0
    for channel in range(3):
        values = np.arange(256, dtype=np.float32)
        table = (values - np.float32(place.mean[channel])) / np.float32(place.std[channel])
        np.take(table, image[..., channel], out=tensor[0, channel, :height, :width])
