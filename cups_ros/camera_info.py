"""Rigs from `CameraInfo` messages and back; the stereo input of every node asks it."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo

from cups_core.camera_calibration import CameraCalibration
from cups_core.camera_calibration import stereo_rig as rig_of_cameras
from cups_core.rig import StereoRig


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
    return rig_of_cameras(
        CameraCalibration.from_message(left, left_topic),
        CameraCalibration.from_message(right, right_topic),
        left_topic,
        right_topic,
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
