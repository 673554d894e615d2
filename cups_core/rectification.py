"""Rectifies the pictures of two calibrated cameras: equal rows, no distortion, one K.

`cups extract` and `cups import` use it where the recorded pictures are as the cameras took them.
The maps are made once per drive.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import (
    FISHEYE_MODELS,
    RELATIVE_TOLERANCE,
    CameraCalibration,
    stereo_rig,
)
from cups_core.errors import InputError
from cups_core.rig import StereoRig

Picture = NDArray[np.uint8]
Maps = tuple[NDArray[np.int16], NDArray[np.uint16]]


class StereoRectification:
    """The way from the pictures of two cameras to rectified ones.

    Attributes:
        rig: of the rectified pictures.
        is_identity: whether the pictures are rectified as they come.
        crop: (left, top, width, height) of what is kept of both rectified pictures.
        invalid_share: share of the pixels of both kept pictures that no camera pixel fills; black.

    Raises:
        CalibrationError: the two calibrations do not form a stereo pair.
    """

    def __init__(
        self,
        left: CameraCalibration,
        right: CameraCalibration,
        left_name: str = "left",
        right_name: str = "right",
        *,
        crop_invalid: bool = False,
    ) -> None:
        full = stereo_rig(left, right, left_name, right_name)
        self._cameras = (left, right)
        self._names = (left_name, right_name)
        self.is_identity = all(_is_rectified(camera) for camera in self._cameras)
        self.crop = (0, 0, full.width, full.height)
        self.invalid_share = 0.0
        self._maps: tuple[Maps, ...] = ()
        if not self.is_identity:
            exact = [_maps(camera) for camera in self._cameras]
            valid = np.logical_and(*(_valid(maps, full.shape) for maps in exact))
            if crop_invalid:
                self.crop = _largest_valid(valid)
            columns, rows, width, height = self.crop
            window = np.s_[rows : rows + height, columns : columns + width]
            self.invalid_share = float(1.0 - valid[window].mean())
            # Fixed-point maps are remapped twice as fast as float ones, exact to 1/32 pixel.
            self._maps = tuple(
                cv2.convertMaps(x[window], y[window], cv2.CV_16SC2) for x, y in exact
            )
        self.rig: StereoRig = full.cropped(*self.crop)

    def apply(self, left: Picture, right: Picture) -> tuple[Picture, Picture]:
        """Both pictures, uint8 (H, W) or (H, W, 3), rectified.

        Raises:
            InputError: a picture does not have the size of its calibration.
        """
        for picture, camera, name in zip((left, right), self._cameras, self._names, strict=True):
            if picture.shape[:2] != (camera.height, camera.width):
                raise InputError(
                    f"{name}: expected {camera.width}x{camera.height} pixels as the calibration "
                    f"says, found {picture.shape[1]}x{picture.shape[0]}: the calibration is for "
                    "another resolution"
                )
        if self.is_identity:
            return left, right
        first, second = (
            np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR))
            for picture, maps in zip((left, right), self._maps, strict=True)
        )
        return first, second

    def parameters(self) -> dict[str, Any]:
        """What was done, as JSON keeps it: the same parameters give the same maps."""
        return {
            "is_identity": self.is_identity,
            "interpolation": "none" if self.is_identity else "linear",
            "crop": list(self.crop),
            "invalid_share": round(self.invalid_share, 6),
            "left": self._cameras[0].row(),
            "right": self._cameras[1].row(),
        }


def _is_rectified(camera: CameraCalibration) -> bool:
    return (
        not camera.is_distorted
        and np.allclose(camera.R, np.eye(3), atol=1e-9)
        and np.allclose(camera.K, camera.P[:, :3], rtol=RELATIVE_TOLERANCE, atol=1e-6)
    )


def _maps(camera: CameraCalibration) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Column and row in the camera's picture of each rectified pixel."""
    make = (
        cv2.fisheye.initUndistortRectifyMap
        if camera.distortion_model in FISHEYE_MODELS
        else cv2.initUndistortRectifyMap
    )
    D = camera.D if camera.D.size else np.zeros(4)
    size = (camera.width, camera.height)
    x, y = make(camera.K, D, camera.R, camera.P[:, :3], size, cv2.CV_32FC1)
    return x, y


def _valid(
    maps: tuple[NDArray[np.float32], NDArray[np.float32]], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    x, y = maps
    return (x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1)


def _largest_valid(valid: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """A window (left, top, width, height) without invalid pixels: the worst edge goes first."""
    sums = cv2.integral((~valid).astype(np.uint8))
    top, left, (bottom, right) = 0, 0, valid.shape
    while top < bottom and left < right:
        edges = {
            "top": (sums[top + 1] - sums[top])[[left, right]],
            "bottom": (sums[bottom] - sums[bottom - 1])[[left, right]],
            "left": (sums[:, left + 1] - sums[:, left])[[top, bottom]],
            "right": (sums[:, right] - sums[:, right - 1])[[top, bottom]],
        }
        shares = {
            edge: int(ends[1] - ends[0])
            / ((right - left) if edge in ("top", "bottom") else (bottom - top))
            for edge, ends in edges.items()
        }
        worst = max(shares, key=lambda edge: shares[edge])
        if shares[worst] == 0.0:
            break
        top += worst == "top"
        bottom -= worst == "bottom"
        left += worst == "left"
        right -= worst == "right"
    return left, top, right - left, bottom - top
