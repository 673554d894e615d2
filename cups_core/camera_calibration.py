"""The calibration of one camera, and the stereo rig that two of them form once rectified.

Nodes and `cups extract` make it from CameraInfo messages, folders of pictures from files. Users
lose most time over a calibration that is not what they think, so each check says which topic,
which number and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CalibrationError
from cups_core.rig import StereoRig

Matrix = NDArray[np.float64]

# Rectification writes the same numbers into both messages; text files round them.
RELATIVE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class CameraCalibration:
    """What a CameraInfo message says of a camera.

    Attributes:
        K: float64 (3, 3), intrinsics of the pictures as they come from the camera, pixels.
        D: float64 (n,), distortion coefficients of `distortion_model`; empty is none.
        R: float64 (3, 3), rotation from the camera to the rectified camera.
        P: float64 (3, 4), projection of the rectified camera; P[0, 3] = -fx * distance along x.
        width: of the pictures, pixels.
        height: of the pictures, pixels.
        distortion_model: name as ROS has it.
        frame_id: of the camera's optical frame.

    Raises:
        CalibrationError: a matrix is not finite or has another size.
    """

    K: Matrix
    D: Matrix
    R: Matrix
    P: Matrix
    width: int
    height: int
    distortion_model: str = "plumb_bob"
    frame_id: str = ""

    def __post_init__(self) -> None:
        shapes = {"K": (3, 3), "D": (np.size(self.D),), "R": (3, 3), "P": (3, 4)}
        for name, shape in shapes.items():
            matrix = np.array(getattr(self, name), np.float64)
            if matrix.size != np.prod(shape) or not np.isfinite(matrix).all():
                raise CalibrationError(
                    f"{name}: expected {' x '.join(map(str, shape))} finite numbers, found "
                    f"{matrix.tolist()}"
                )
            matrix = matrix.reshape(shape)
            matrix.setflags(write=False)
            object.__setattr__(self, name, matrix)

    @classmethod
    def from_message(cls, info: Any, topic: str) -> CameraCalibration:
        """From anything with the fields of sensor_msgs/CameraInfo.

        Raises:
            CalibrationError: the camera is not calibrated, bins pixels or has no size.
        """
        if info.k[0] == 0 or info.p[0] == 0:
            raise CalibrationError(
                f"{topic}: the camera is not calibrated ({'K' if info.k[0] == 0 else 'P'}[0] = 0): "
                "calibrate it, or give its driver the calibration file (camera_info_url)"
            )
        if info.binning_x > 1 or info.binning_y > 1:
            raise CalibrationError(
                f"{topic}: the camera bins {info.binning_x}x{info.binning_y} pixels, expected "
                "none: publish a camera_info of the reduced size (image_proc resize does)"
            )
        if info.width == 0 or info.height == 0:
            raise CalibrationError(
                f"{topic}: the size is {info.width}x{info.height}: give the driver a calibration "
                "file"
            )
        # Drivers that do not know of rectification leave R zero.
        R = np.eye(3) if not np.any(info.r) else info.r
        try:
            return cls(
                np.array(info.k),
                np.array(info.d),
                np.array(R),
                np.array(info.p),
                int(info.width),
                int(info.height),
                info.distortion_model,
                info.header.frame_id,
            )
        except CalibrationError as error:
            raise CalibrationError(f"{topic}: {error}") from error

    @classmethod
    def from_row(cls, row: Mapping[str, Any], name: str) -> CameraCalibration:
        """From what `row` gave.

        Raises:
            CalibrationError: an entry is missing or makes no sense.
        """
        try:
            return cls(**row)
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"{name}: expected a camera's calibration, {error}") from error

    @property
    def is_distorted(self) -> bool:
        """Whether straight lines are bent in the pictures as they come from the camera."""
        return bool(np.any(self.D))

    def row(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            "K": self.K.tolist(),
            "D": self.D.tolist(),
            "R": self.R.tolist(),
            "P": self.P.tolist(),
            "width": self.width,
            "height": self.height,
            "distortion_model": self.distortion_model,
            "frame_id": self.frame_id,
        }


def stereo_rig(
    left: CameraCalibration, right: CameraCalibration, left_name: str, right_name: str
) -> StereoRig:
    """The rig that the rectified pictures of two cameras form.

    Args:
        left: its P holds the intrinsics of the rectified pictures.
        right: P[0, 3] = -fx * baseline, as ROS defines it.
        left_name: topic or file of `left`, for the error messages.
        right_name: topic or file of `right`.

    Raises:
        CalibrationError: the two do not fit together, or there is no positive baseline.
    """
    if (left.width, left.height) != (right.width, right.height):
        raise CalibrationError(
            f"{right_name}: expected the size of {left_name}, {left.width}x{left.height}, found "
            f"{right.width}x{right.height}: both cameras must run at one resolution"
        )
    left_P, right_P = left.P, right.P
    if not np.allclose(left_P[:, :3], right_P[:, :3], rtol=RELATIVE_TOLERANCE, atol=1e-6):
        raise CalibrationError(
            f"{right_name}: P differs from {left_name} (fx {right_P[0, 0]:.3f} and "
            f"{left_P[0, 0]:.3f}, cx {right_P[0, 2]:.3f} and {left_P[0, 2]:.3f}, cy "
            f"{right_P[1, 2]:.3f} and {left_P[1, 2]:.3f}): rectify both cameras as one stereo pair"
        )
    sideways, upwards = np.abs(right_P[:2, 3] - left_P[:2, 3])
    if upwards > sideways:
        raise CalibrationError(
            f"{right_name}: the cameras stand one above the other (P[7] = {right_P[1, 3]:g}), "
            "expected side by side: turn both cameras' pictures by 90 degrees, or calibrate them "
            "as a horizontal pair"
        )
    fx, shift = float(right_P[0, 0]), float(right_P[0, 3])
    baseline_m = (float(left_P[0, 3]) - shift) / fx
    if not baseline_m > 0:
        raise CalibrationError(
            f"{right_name}: the baseline is {baseline_m:.3f} m (P[3] = {shift:g}); stereo needs "
            f"P[3] = -fx * baseline, {'a negative number' if shift else 'not zero'}: "
            + (
                "left and right are swapped; exchange the topics of the two cameras "
                "(left_namespace and right_namespace at the launch)"
                if baseline_m < 0
                else "how the cameras stand to each other is unknown; calibrate them as a stereo "
                "pair (camera_calibration with both cameras writes R and P), or use the "
                "calibration that a stereo driver publishes"
            )
        )
    return StereoRig(left_P[:, :3], baseline_m, left.width, left.height)
