"""Rectifies the pictures of two calibrated cameras: equal rows, no distortion, one K.

`cups extract` and `cups import` use it where the recorded pictures are as the cameras took them.
The maps are made once per drive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import CameraCalibration, Matrix, stereo_rig
from cups_core.errors import CalibrationError, InputError
from cups_core.rig import StereoRig

# How many coefficients OpenCV takes for each model, by the names of ROS and of Kalibr.
COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "radtan": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
    "fisheye": (4,),
}
FISHEYE_MODELS = ("equidistant", "fisheye")
# Pictures whose pixels would move less are left as they are.
LARGEST_IDENTITY_SHIFT_PX = 0.05
# A pixel whose centre lies up to half a pixel outside is still filled from the border pixel.
BORDER_PX = 0.5
OUTSIDE = -1000.0

Picture = NDArray[np.uint8]
Window = tuple[int, int, int, int]
Map = NDArray[np.float32]


class StereoRectification:
    """The way from the pictures of two cameras to rectified ones.

    Attributes:
        rig: of the rectified pictures.
        is_identity: whether the pictures are rectified as they come, to a twentieth of a pixel.
        crop: (left, top, width, height) of what is kept of both rectified pictures, pixels.
        invalid_share: share of the kept pixels that the left or the right camera does not see;
            they are black.

    Raises:
        CalibrationError: the two calibrations do not form a stereo pair, or the distortion model
            is unknown.
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
        """Make the maps; with `crop_invalid` only a window that both cameras fill is kept."""
        full = stereo_rig(left, right, left_name, right_name)
        self._cameras, self._names = (left, right), (left_name, right_name)
        exact = [_maps(left, left_name), _maps(right, right_name)]
        self.is_identity = all(_is_identity(*maps) for maps in exact)
        self.crop: Window = (0, 0, full.width, full.height)
        self.invalid_share = 0.0
        if not self.is_identity:
            seen = [
                _valid(camera, x, y) for camera, (x, y) in zip((left, right), exact, strict=True)
            ]
            by_both = seen[0] & seen[1]
            if crop_invalid:
                self.crop = _largest_window(by_both, left_name)
            first, top, width, height = self.crop
            kept = np.s_[top : top + height, first : first + width]
            self.invalid_share = float(1.0 - by_both[kept].mean())
            size = (full.width, full.height)
            self._maps = [
                _fixed_point(x[kept], y[kept], valid[kept], size)
                for (x, y), valid in zip(exact, seen, strict=True)
            ]
        self.rig: StereoRig = full.cropped(*self.crop)

    def apply(self, left: Picture, right: Picture) -> tuple[Picture, Picture]:
        """Both pictures, uint8 (H, W) or (H, W, 3), rectified.

        Raises:
            InputError: a picture does not have the size of its calibration.
        """
        pictures = (left, right)
        for picture, name, camera in zip(pictures, self._names, self._cameras, strict=True):
            if picture.shape[:2] != (camera.height, camera.width):
                raise InputError(
                    f"{name}: expected {camera.width}x{camera.height} pixels as the calibration "
                    f"says, found {picture.shape[1]}x{picture.shape[0]}: the calibration is for "
                    "another resolution"
                )
        if self.is_identity:
            return left, right
        rectified = [
            np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR), np.uint8)
            for picture, maps in zip(pictures, self._maps, strict=True)
        ]
        return rectified[0], rectified[1]

    def parameters(self) -> dict[str, Any]:
        """What was done, as JSON keeps it: the same parameters give the same maps."""
        left, right = self._cameras
        return {
            "is_identity": self.is_identity,
            "interpolation": "none" if self.is_identity else "linear",
            "crop": list(self.crop),
            "invalid_share": round(self.invalid_share, 6),
            "left": left.row(),
            "right": right.row(),
        }


def rectified_stereo_pair(
    left: CameraCalibration, right: CameraCalibration, right_from_left: Matrix
) -> tuple[CameraCalibration, CameraCalibration]:
    """The calibrations with R and P of a stereo pair, where only the extrinsics are known.

    Args:
        left: its K and D count.
        right: its K and D count.
        right_from_left: float64 (4, 4), takes points of the left camera to the right one, metres.

    Returns:
        Both cameras; the rectified pictures have the size of the pictures and no invalid border
        as far as that is possible.

    Raises:
        CalibrationError: the distortion model is unknown.
    """
    size = (left.width, left.height)
    left_D, right_D = _coefficients(left, "left"), _coefficients(right, "right")
    rotation, translation = right_from_left[:3, :3].copy(), right_from_left[:3, 3:].copy()
    zero_disparity = cv2.CALIB_ZERO_DISPARITY
    if left.is_distorted and left.distortion_model in FISHEYE_MODELS:
        R1, R2, P1, P2, *_ = cv2.fisheye.stereoRectify(
            left.K, left_D, right.K, right_D, size, rotation, translation, zero_disparity
        )
    else:
        R1, R2, P1, P2, *_ = cv2.stereoRectify(
            left.K,
            left_D,
            right.K,
            right_D,
            size,
            rotation,
            translation,
            flags=zero_disparity,
            alpha=0,
        )
    return replace(left, R=R1, P=P1), replace(right, R=R2, P=P2)


def _coefficients(camera: CameraCalibration, name: str) -> Matrix:
    if not camera.is_distorted:
        return np.zeros(4)
    if camera.D.size not in COEFFICIENTS.get(camera.distortion_model, ()):
        known = (
            f"{model} with {' or '.join(map(str, counts))}"
            for model, counts in COEFFICIENTS.items()
        )
        raise CalibrationError(
            f"{name}: cannot undo the distortion {camera.distortion_model!r} with {camera.D.size} "
            f"coefficients; known are {', '.join(known)}: calibrate with one of these, or record "
            "the rectified topics"
        )
    return camera.D


def _maps(camera: CameraCalibration, name: str) -> tuple[Map, Map]:
    """Column and row in the camera's picture of each rectified pixel."""
    is_fisheye = camera.is_distorted and camera.distortion_model in FISHEYE_MODELS
    make = cv2.fisheye.initUndistortRectifyMap if is_fisheye else cv2.initUndistortRectifyMap
    D, size = _coefficients(camera, name), (camera.width, camera.height)
    x, y = make(camera.K, D, camera.R, camera.P[:, :3], size, cv2.CV_32FC1)
    return np.asarray(x), np.asarray(y)


def _is_identity(x: Map, y: Map) -> bool:
    rows, columns = np.indices(x.shape, np.float32)
    shift = max(np.abs(x - columns).max(), np.abs(y - rows).max())
    return bool(shift < LARGEST_IDENTITY_SHIFT_PX)


def _valid(camera: CameraCalibration, x: Map, y: Map) -> NDArray[np.bool_]:
    """Which rectified pixels the camera sees."""
    height, width = x.shape
    inside = (np.abs(x - (width - 1) / 2) <= (width - 1) / 2 + BORDER_PX) & (
        np.abs(y - (height - 1) / 2) <= (height - 1) / 2 + BORDER_PX
    )
    rotated = camera.P[:, :3] @ camera.R
    rows, columns = np.indices(x.shape, np.float32)
    # Depth of the rectified rays in the camera's frame: the maps mirror what lies behind it.
    to_depth = np.linalg.inv(rotated)[2]
    is_before = to_depth[0] * columns + to_depth[1] * rows + to_depth[2] > 0
    # Beyond its turning point a polynomial of distortion shows parts of the picture once more,
    # mirrored: the determinant of the map's Jacobian tells. What lies behind that ring is no
    # better, so only what is connected with the optical axis counts.
    x_rows, x_columns = np.gradient(x)
    y_rows, y_columns = np.gradient(y)
    is_upright = is_before & (x_columns * y_rows > x_rows * y_columns)
    axis = rotated[:, 2] / rotated[2, 2]
    column, row = round(float(axis[0])), round(float(axis[1]))
    valid: NDArray[np.bool_] = inside & is_upright
    if 0 <= row < height and 0 <= column < width:
        _, parts = cv2.connectedComponents(is_upright.astype(np.uint8), connectivity=4)
        valid &= parts == parts[row, column]
    return valid


def _fixed_point(
    x: Map, y: Map, valid: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The maps in fixed point, exact to 1/32 pixel: three quarters of the time for colour."""
    columns, rows = (
        np.where(valid, np.clip(found, 0, length - 1), OUTSIDE).astype(np.float32)
        for found, length in zip((x, y), size, strict=True)
    )
    whole, fractions = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
    return np.asarray(whole), np.asarray(fractions)


def _largest_window(valid: NDArray[np.bool_], name: str) -> Window:
    """A window (left, top, width, height) without invalid pixels: the worst edge goes first."""
    sums = cv2.integral((~valid).astype(np.uint8))
    top, left, (bottom, right) = 0, 0, valid.shape
    while top < bottom and left < right:
        by_row, by_column = sums[:, right] - sums[:, left], sums[bottom] - sums[top]
        shares = {
            "top": (by_row[top + 1] - by_row[top]) / (right - left),
            "bottom": (by_row[bottom] - by_row[bottom - 1]) / (right - left),
            "left": (by_column[left + 1] - by_column[left]) / (bottom - top),
            "right": (by_column[right] - by_column[right - 1]) / (bottom - top),
        }
        worst = max(shares, key=lambda edge: float(shares[edge]))
        if shares[worst] == 0.0:
            if sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left] == 0:
                return left, top, right - left, bottom - top
            worst = "top"
        top += worst == "top"
        bottom -= worst == "bottom"
        left += worst == "left"
        right -= worst == "right"
    raise CalibrationError(
        f"{name}: the two cameras see nothing in common after rectification: the calibration does "
        "not belong to them; calibrate the pair again"
    )
