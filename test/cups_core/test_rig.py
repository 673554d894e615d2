from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cups_core.errors import CalibrationError, InputError
from cups_core.rig import StereoRig

lengths = st.floats(50, 3000)
baselines = st.floats(0.05, 2)


def a_rig(focal: float = 700.0, baseline_m: float = 0.5) -> StereoRig:
    K = np.array([[focal, 0, 319.5], [0, focal * 1.02, 179.5], [0, 0, 1]])
    return StereoRig(K, baseline_m, 640, 360)


@pytest.mark.parametrize(
    ("K", "baseline_m", "width", "says"),
    [
        # An uncalibrated camera publishes a K of zeros.
        (np.zeros((3, 3)), 0.5, 640, "not calibrated"),
        (np.full((3, 3), np.nan), 0.5, 640, "finite"),
        (np.eye(4), 0.5, 640, r"\(4, 4\)"),
        # Skew, as before rectification.
        (np.array([[700, 3, 320], [0, 700, 180], [0, 0, 1.0]]), 0.5, 640, "rectify"),
        (np.array([[700, 0, 320], [0, 700, 180], [0, 0, 1.0]]), 0.0, 640, "no stereo calibration"),
        (np.array([[700, 0, 320], [0, 700, 180], [0, 0, 1.0]]), -0.5, 640, "swapped"),
        (np.array([[700, 0, 320], [0, 700, 180], [0, 0, 1.0]]), np.nan, 640, "baseline"),
        (np.array([[700, 0, 320], [0, 700, 180], [0, 0, 1.0]]), 0.5, 0, "size"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused_with_the_reason(
    K: np.ndarray, baseline_m: float, width: int, says: str
) -> None:
    with pytest.raises(CalibrationError, match=says):
        StereoRig(K, baseline_m, width, 360)


def test_the_matrix_of_a_rig_cannot_be_changed_from_outside() -> None:
    K = np.array([[700, 0, 320], [0, 700, 180], [0, 0, 1.0]])
    rig = StereoRig(K, 0.5, 640, 360)
    K[0, 0] = 1
    assert rig.fx == 700
    with pytest.raises(ValueError, match="read-only"):
        rig.K[0, 0] = 1


@given(lengths, baselines, st.floats(0.5, 200))
def test_depth_and_disparity_undo_each_other(focal: float, base: float, depth_m: float) -> None:
    rig = a_rig(focal, base)
    disparity = rig.disparity(np.array([[depth_m]], np.float32))
    assert_allclose(disparity, focal * base / depth_m, rtol=1e-5)
    assert_allclose(rig.depth(disparity), depth_m, rtol=1e-5)


def test_unknown_disparity_has_no_depth() -> None:
    found = a_rig().depth(np.array([[0.0, -1.0, np.nan, 350.0]], np.float32))
    assert np.isnan(found[0, :3]).all()
    assert found[0, 3] == 1.0
    assert found.dtype == np.float32


@given(lengths, st.integers(0, 2**32 - 1))
def test_projection_brings_back_projected_points_home(focal: float, seed: int) -> None:
    rig = a_rig(focal)
    depth = np.random.default_rng(seed).uniform(1, 80, rig.shape).astype(np.float32)
    pixels = rig.project(rig.back_project(depth))
    rows, columns = np.mgrid[: rig.height, : rig.width]
    assert_allclose(pixels, np.stack([columns, rows], axis=-1), atol=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_projection_agrees_with_opencv(seed: int) -> None:
    rig = a_rig()
    points = np.random.default_rng(seed).uniform([-5, -5, 1], [5, 5, 50], (20, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), rig.K, np.zeros(5))
    assert_allclose(rig.project(points), expected[:, 0], rtol=1e-9)


def test_points_behind_the_camera_have_no_pixel() -> None:
    assert np.isnan(a_rig().project(np.array([[1.0, 2.0, -3.0], [1.0, 2.0, 0.0]]))).all()


@given(st.integers(40, 2000), st.integers(40, 2000), st.integers(0, 2**32 - 1))
def test_a_resized_rig_sees_a_point_where_the_resized_image_shows_it(
    width: int, height: int, seed: int
) -> None:
    rig = a_rig()
    point = np.random.default_rng(seed).uniform([-2, -1, 5], [2, 1, 50])
    before, after = rig.project(point), rig.resized(width, height).project(point)
    # Resizing an image scales about its outer corner, half a pixel off the first centre.
    scale = np.array([width / rig.width, height / rig.height])
    assert_allclose(after + 0.5, (before + 0.5) * scale, rtol=1e-9)


def test_resizing_keeps_the_depth_of_a_scaled_disparity() -> None:
    rig = a_rig()
    half = rig.resized(320, 180)
    assert half.focal_baseline / 10 == pytest.approx(rig.focal_baseline / 20)


def test_a_crop_moves_the_principal_point_and_nothing_else() -> None:
    rig = a_rig()
    point = np.array([0.3, -0.2, 7.0])
    window = rig.cropped(100, 50, 200, 120)
    assert_allclose(window.project(point), rig.project(point) - [100, 50])
    assert window.shape == (120, 200)
    assert window.baseline_m == rig.baseline_m


@pytest.mark.parametrize(
    "window", [(-1, 0, 10, 10), (0, -1, 10, 10), (635, 0, 10, 10), (0, 355, 10, 10)]
)
def test_a_crop_that_leaves_the_image_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match="leaves the image of 640x360"):
        a_rig().cropped(*window)


def test_a_depth_map_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected shape \(360, 640\).*found \(10, 10\)"):
        a_rig().back_project(np.ones((10, 10)))
