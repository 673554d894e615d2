"""Two camera_infos make a rig, or one sentence says why not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo

from cups_core.errors import CalibrationError
from cups_core.rig import StereoRig
from cups_ros.camera_info import camera_infos, stereo_rig

RIG = StereoRig(np.array([[700.0, 0, 320], [0, 710.0, 240], [0, 0, 1]]), 0.12, 640, 480)


@given(st.floats(1, 5000), st.floats(0.01, 3), st.integers(1, 4000), st.integers(1, 4000))
def test_a_rig_survives_the_way_through_its_messages(
    focal: float, baseline_m: float, width: int, height: int
) -> None:
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    rig = StereoRig(K, baseline_m, width, height)
    found = stereo_rig(*camera_infos(rig), "left", "right")
    np.testing.assert_allclose(found.K, rig.K)
    assert found.baseline_m == pytest.approx(baseline_m)
    assert found.shape == rig.shape


def test_the_baseline_counts_from_the_left_camera() -> None:
    left, right = camera_infos(RIG)
    # KITTI's colour cameras: both matrices refer to a third camera.
    left.p[3], right.p[3] = 42.0, 42.0 - 84.0
    assert stereo_rig(left, right, "left", "right").baseline_m == pytest.approx(0.12)


def _zero_K(left: CameraInfo, right: CameraInfo) -> None:
    left.k = np.zeros(9)


def _zero_P(left: CameraInfo, right: CameraInfo) -> None:
    right.p = np.zeros(12)


def _zero_baseline(left: CameraInfo, right: CameraInfo) -> None:
    right.p[3] = 0.0


def _swapped(left: CameraInfo, right: CameraInfo) -> None:
    right.p[3] = 84.0


def _other_size(left: CameraInfo, right: CameraInfo) -> None:
    right.width = 320


def _other_focal_length(left: CameraInfo, right: CameraInfo) -> None:
    right.p[0] = 710.0


def _no_size(left: CameraInfo, right: CameraInfo) -> None:
    left.width = right.width = 0


def _binned(left: CameraInfo, right: CameraInfo) -> None:
    left.binning_x = 2


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_zero_K, r"/left/info: the camera is not calibrated \(K\[0\] = 0\)"),
        (_zero_P, r"/right/info: the camera is not calibrated \(P\[0\] = 0\)"),
        (_zero_baseline, r"/right/info: the baseline is 0.000 m \(P\[3\] = 0\).* calibrate"),
        (_swapped, r"/right/info: the baseline is -0.120 m \(P\[3\] = 84\).* swapped"),
        (_other_size, "/right/info: expected the size of /left/info, 640x480, found 320x480"),
        (_other_focal_length, "/right/info: P differs from /left/info .fx 710.000 and 700.000"),
        (_no_size, "/left/info: the size is 0x480"),
        (_binned, "/left/info: the camera bins 2x0 pixels"),
    ],
)
def test_a_calibration_that_cannot_be_used_says_why(
    damage: Callable[[CameraInfo, CameraInfo], None], sentence: str
) -> None:
    left, right = camera_infos(RIG)
    damage(left, right)
    with pytest.raises(CalibrationError, match=sentence):
        stereo_rig(left, right, "/left/info", "/right/info")
