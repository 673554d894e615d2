"""From pictures as they were recorded to those of the dataset: rectified, cropped, resized.

Extraction makes one for each drive; the rig moves along with the pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import stereo_rig
from cups_core.picture_geometry import PictureGeometry
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
        InputError: the crop leaves the picture, or the size is larger than it.
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
        self._cut = PictureGeometry(settings.window, settings.output_size)
        if self._cut.size == (self.rig.width, self.rig.height) and not self._cut.crop:
            self._cut = PictureGeometry()
        self.rig = self._cut.rig(self.rig)
        is_left_as_recorded = self._rectification is None or self._rectification.is_identity
        self.is_identity = self._cut.is_identity and is_left_as_recorded

    def apply(self, left: Picture, right: Picture) -> tuple[Picture, Picture]:
        """Both pictures, uint8 (H, W) or (H, W, 3) of the recorded size, as the dataset has them.

        Raises:
            InputError: a picture has another size.
        """
        if self._rectification:
            left, right = self._rectification.apply(left, right)
        return self._cut.picture(left), self._cut.picture(right)

    def origin(self) -> dict[str, Any]:
        """What was done and to pictures of which cameras, as `calibration.json` keeps it."""
        rectification = None
        if self._rectification:
            rectification = self._rectification.parameters()
            del rectification["left"], rectification["right"]
        return {
            "left": self._left.row(),
            "right": self._right.row(),
            "rectification": rectification,
            **self._cut.parameters(),
        }
