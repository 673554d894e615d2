"""A camera_info of whatever library becomes a calibration; two become a rig or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.camera_calibration import CameraCalibration, stereo_rig
from cups_core.errors import CalibrationError

P = [700.0, 0, 320, 0, 0, 710.0, 240, 0, 0, 0, 1, 0]
RIGHT_P = [700.0, 0, 320, -84, 0, 710.0, 240, 0, 0, 0, 1, 0]


@dataclass
class CameraInfo:
    """The fields of sensor_msgs/CameraInfo."""

    p: Any
    k: Any = field(default_factory=lambda: np.array([690.0, 0, 318, 0, 692, 238, 0, 0, 1]))
    r: Any = field(default_factory=lambda: np.eye(3).ravel())
    d: Any = field(default_factory=lambda: [-0.2, 0.1, 0, 0, 0])
    width: int = 640
    height: int = 480
    binning_x: int = 0
    binning_y: int = 0
    distortion_model: str = "plumb_bob"
    header: Any = field(default_factory=lambda: SimpleNamespace(frame_id="left_optical"))


def calibration(p: list[float], **changes: Any) -> CameraCalibration:
    return CameraCalibration.from_message(replace(CameraInfo(p), **changes), "/info")


def test_a_message_gives_all_its_numbers() -> None:
    found = calibration(P)
    np.testing.assert_array_equal(found.P, np.reshape(P, (3, 4)))
    assert found.K[1, 1] == 692
    assert found.D.tolist() == [-0.2, 0.1, 0, 0, 0]
    assert (found.width, found.height, found.frame_id) == (640, 480, "left_optical")
    assert found.is_distorted
    assert not calibration(P, d=[0.0] * 5).is_distorted
    assert not calibration(P, d=[]).is_distorted


def test_a_driver_that_leaves_R_zero_means_no_rotation() -> None:
    np.testing.assert_array_equal(calibration(P, r=np.zeros(9)).R, np.eye(3))


def test_a_calibration_survives_its_row() -> None:
    first = calibration(P)
    second = CameraCalibration.from_row(first.row(), "calibration.json")
    assert first.row() == second.row()
    with pytest.raises(CalibrationError, match=r"calibration.json: .* 'K'"):
        CameraCalibration.from_row({"D": []}, "calibration.json")


@pytest.mark.parametrize("lens", ["", "double_sphere", "none"])
def test_a_lens_nobody_knows_does_not_matter_once_pictures_are_rectified(lens: str) -> None:
    left = calibration(P, distortion_model=lens)
    right = calibration(RIGHT_P, distortion_model=lens)
    assert stereo_rig(left, right, "left", "right").baseline_m == pytest.approx(0.12)


def test_the_baseline_counts_from_the_left_camera() -> None:
    left, right = list(P), list(RIGHT_P)
    # KITTI's colour cameras refer to a third one, and are not at quite the same height.
    left[3], right[3], right[7] = 42.0, -42.0, 2.0
    assert stereo_rig(calibration(left), calibration(right), "a", "b").baseline_m == pytest.approx(
        0.12
    )


def _not_finite(p: NDArray[np.float64]) -> None:
    p[2] = np.nan


def _above(p: NDArray[np.float64]) -> None:
    p[3], p[7] = 0.0, -84.0


def _alone(p: NDArray[np.float64]) -> None:
    p[3] = 0.0


def _swapped(p: NDArray[np.float64]) -> None:
    p[3] = 84.0


def _other_center(p: NDArray[np.float64]) -> None:
    p[6] = 250.0


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_not_finite, r"/info: P: expected 3 x 4 finite numbers, found .*nan"),
        (_above, r"/right: the cameras stand one above the other \(P\[7\] = -84\)"),
        (_alone, r"/right: the baseline is 0.000 m .* how the cameras stand to each other"),
        (_swapped, r"/right: the baseline is -0.120 m .* swapped"),
        (_other_center, r"/right: P differs from /left .* cy 250.000 and 240.000"),
    ],
)
def test_what_is_no_rig_says_why(
    damage: Callable[[NDArray[np.float64]], None], sentence: str
) -> None:
    right = np.array(RIGHT_P)
    damage(right)
    with pytest.raises(CalibrationError, match=sentence):
        stereo_rig(calibration(P), calibration(right.tolist()), "/left", "/right")


@pytest.mark.parametrize("name", ["K", "R"])
def test_a_matrix_of_another_size_is_refused(name: str) -> None:
    with pytest.raises(CalibrationError, match=f"{name}: expected 3 x 3 finite numbers"):
        replace(calibration(P), **{name: np.zeros(4)})
