"""From pictures as they were recorded to those of the dataset: rectified, cropped, resized.

Extraction makes one for each drive; the rig moves along with the pixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import stereo_rig
from cups_core.rectification import StereoRectification
from cups_core.rig import StereoRig
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.source import StereoSource

Picture = NDArray[np.uint8]


class Geometry:
    """What is done to every pair of pictures of a drive.

    Attributes:
        rig: of the pictures of the dataset.
        recorded_size: (width, height) that recorded pictures must have, pixels.
        is_identity: whether pictures stay as they were recorded.

    Raises:
        CalibrationError: the two cameras do not form a stereo pair.
        InputError: the crop leaves the picture.
    """

    def __init__(self, source: StereoSource, settings: ExtractionSettings) -> None:
        left, right = source.left, source.right
        self._left, self._right = left, right
        self.recorded_size = (left.width, left.height)
        self._rectification: StereoRectification | None = None
        if settings.rectify == "yes" or (settings.rectify == "auto" and not source.is_rectified):
            self._rectification = StereoRectification(
                left, right, "left camera", "right camera", crop_invalid=settings.crop_invalid
            )
            self.rig: StereoRig = self._rectification.rig
        else:
            self.rig = stereo_rig(left, right, "left camera", "right camera")
        self._window = settings.window
        if self._window:
            self.rig = self.rig.cropped(*self._window)
        self._size = settings.output_size
        if self._size == (self.rig.width, self.rig.height):
            self._size = None
        if self._size:
            shrinks = self._size[0] < self.rig.width
            self._interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            self.rig = self.rig.resized(*self._size)
        self.is_identity = not (
            self._window
            or self._size
            or (self._rectification and not self._rectification.is_identity)
        )

    def apply(self, left: Picture, right: Picture) -> tuple[Picture, Picture]:
        """Both pictures, uint8 (H, W) or (H, W, 3) of the recorded size, as the dataset has them.

        Raises:
            InputError: a picture has another size.
        """
        if self._rectification:
            left, right = self._rectification.apply(left, right)
        return self._cut(left), self._cut(right)

    def _cut(self, picture: Picture) -> Picture:
        if self._window:
            column, row, width, height = self._window
            picture = picture[row : row + height, column : column + width]
        if self._size:
            picture = np.asarray(
                cv2.resize(picture, self._size, interpolation=self._interpolation), np.uint8
            )
        return picture

    def origin(self) -> dict[str, Any]:
        """What was done and to pictures of which cameras, as `calibration.json` keeps it."""
        done: dict[str, Any] = {
            "left": self._left.row(),
            "right": self._right.row(),
            "rectification": None,
            "crop": list(self._window) if self._window else None,
            "resized_to": list(self._size) if self._size else None,
        }
        if self._rectification:
            parameters = self._rectification.parameters()
            done["rectification"] = {
                name: value for name, value in parameters.items() if name not in ("left", "right")
            }
        return done
