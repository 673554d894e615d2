"""Two `CameraInfo` messages become one checked `StereoRig`; the stereo input of every node asks it.

Users lose most time over a calibration that is not what they think, so each check says which topic,
which number and what to do.
"""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo

from cups_core.errors import CalibrationError
from cups_core.rig import StereoRig

# Rectification writes the same numbers into both messages; text files round them.
RELATIVE_TOLERANCE = 1e-3


def stereo_rig(left: CameraInfo, right: CameraInfo, left_topic: str, right_topic: str) -> StereoRig:
    """The rig that two rectified cameras form.

    Args:
        left: of the left camera; its P holds the intrinsics of the rectified images.
        right: of the right camera; P[3] = -fx * baseline, as ROS defines it.
        left_topic: where `left` came from, for the error messages.
        right_topic: where `right` came from.

    Raises:
        CalibrationError: a camera is uncalibrated, the two do not fit together, or there is no
            positive baseline.
    """
    for info, topic in ((left, left_topic), (right, right_topic)):
        _check_calibrated(info, topic)
    if (left.width, left.height) != (right.width, right.height):
        raise CalibrationError(
            f"{right_topic}: expected the size of {left_topic}, {left.width}x{left.height}, found "
            f"{right.width}x{right.height}: both cameras must run at one resolution"
        )
    left_P, right_P = (np.reshape(info.p, (3, 4)) for info in (left, right))
    if not np.allclose(left_P[:, :3], right_P[:, :3], rtol=RELATIVE_TOLERANCE, atol=1e-6):
        raise CalibrationError(
            f"{right_topic}: P differs from {left_topic} (fx {right_P[0, 0]:.3f} and "
            f"{left_P[0, 0]:.3f}, cx "
            f"{right_P[0, 2]:.3f} and {left_P[0, 2]:.3f}, cy {right_P[1, 2]:.3f} and "
            f"{left_P[1, 2]:.3f}): rectify "
            "both cameras as one stereo pair"
        )
    fx, shift = float(right_P[0, 0]), float(right_P[0, 3])
    baseline_m = (float(left_P[0, 3]) - shift) / fx
    if not baseline_m > 0:
        raise CalibrationError(
            f"{right_topic}: the baseline is {baseline_m:.3f} m (P[3] = {shift:g}); stereo needs "
            "P[3] = -fx * baseline, "
            f"{'a negative number' if shift else 'not zero'}: "
            + (
                "left and right are swapped; exchange left_namespace and right_namespace"
                if baseline_m < 0
                else "calibrate the cameras as a stereo pair"
            )
        )
    return StereoRig(left_P[:, :3], baseline_m, left.width, left.height)


def _check_calibrated(info: CameraInfo, topic: str) -> None:
    if info.k[0] == 0 or info.p[0] == 0:
        raise CalibrationError(
            f"{topic}: the camera is not calibrated ({'K' if info.k[0] == 0 else 'P'}[0] = 0): "
            "calibrate it, or give "
            "its driver the calibration file (camera_info_url)"
        )
    if info.binning_x > 1 or info.binning_y > 1:
        raise CalibrationError(
            f"{topic}: the camera bins {info.binning_x}x{info.binning_y} pixels, expected none: "
            "publish a camera_info "
            "of the reduced size (image_proc resize does)"
        )
    if info.width == 0 or info.height == 0:
        raise CalibrationError(
            f"{topic}: the size is {info.width}x{info.height}: give the driver a calibration file"
        )


def camera_infos(rig: StereoRig) -> tuple[CameraInfo, CameraInfo]:
    """The messages that describe a rig, without headers: left and right."""
    infos = []
    for shift in (0.0, -rig.focal_baseline):
        P = np.zeros((3, 4))
        P[:, :3] = rig.K
        P[0, 3] = shift
        infos.append(
            CameraInfo(
                width=rig.width,
                height=rig.height,
                distortion_model="plumb_bob",
                d=[0.0] * 5,
                k=rig.K.ravel(),
                r=np.eye(3).ravel(),
                p=P.ravel(),
            )
        )
    return infos[0], infos[1]
