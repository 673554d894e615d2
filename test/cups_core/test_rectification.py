"""Rectified pictures have equal rows, no distortion and the rig's metres, for every lens model.

The lens models are written here once more from their definitions, so OpenCV is not its own judge.
"""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.camera_calibration import CameraCalibration
from cups_core.errors import CalibrationError, InputError
from cups_core.rectification import StereoRectification, rectified_stereo_pair
from cups_core.rig_validation import measure_epipolar

Points = NDArray[np.float64]
WIDTH, HEIGHT = 320, 240
BASELINE_M = 0.2
SPOT_PX = 2.0
LENSES = {
    "none": ("plumb_bob", []),
    "plumb_bob 4": ("plumb_bob", [-0.28, 0.07, 0.001, -0.0008]),
    "plumb_bob 5": ("plumb_bob", [-0.28, 0.07, 0.001, -0.0008, 0.005]),
    "rational": ("rational_polynomial", [0.9, 0.3, 0.0005, -0.0003, 0.02, 1.2, 0.5, 0.05]),
    "equidistant": ("equidistant", [-0.02, 0.008, -0.006, 0.001]),
}


def seen(camera: CameraCalibration, points: Points) -> Points:
    """Pixels (N, 2) of points (N, 3) in the camera's own frame, by the definition of the lens."""
    x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    r2 = x * x + y * y
    D = np.zeros(8)
    D[: camera.D.size] = camera.D
    if camera.distortion_model == "equidistant" and camera.D.size:
        r = np.sqrt(np.maximum(r2, 1e-24))
        angle = np.arctan(r)
        bent = angle * (1 + sum(D[i] * angle ** (2 * i + 2) for i in range(4)))
        x, y = x * bent / r, y * bent / r
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = D
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        )
    return np.column_stack(
        [camera.K[0, 0] * x + camera.K[0, 2], camera.K[1, 1] * y + camera.K[1, 2]]
    )


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(np.radians(degrees))[0])


def rig_of(
    lens: str, tilt: tuple[float, float, float] = (1.0, -2.0, 0.7)
) -> tuple[CameraCalibration, CameraCalibration, NDArray[np.float64]]:
    """Two cameras that differ a little and do not look the same way; right_from_left."""
    model, D = LENSES[lens]
    P = np.eye(3, 4)
    cameras = [
        CameraCalibration(K, D, np.eye(3), P, WIDTH, HEIGHT, model)
        for K in (
            [[210.0, 0, 158], [0, 211.0, 121], [0, 0, 1]],
            [[214.0, 0, 163], [0, 213.0, 117], [0, 0, 1]],
        )
    ]
    right_from_left = np.eye(4)
    right_from_left[:3, :3] = rotation(tilt)
    right_from_left[:3, 3] = right_from_left[:3, :3] @ (-BASELINE_M, 0.004, -0.003)
    return (*rectified_stereo_pair(*cameras, right_from_left), right_from_left)


def rectified_pixels(rectification: StereoRectification, side: int, pixels: Points) -> Points:
    """Where a spot of light at each of the camera's `pixels` comes to lie."""
    found = []
    rows, columns = np.indices((HEIGHT, WIDTH))
    for x, y in pixels:
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SPOT_PX**2))
        pictures = [np.zeros((HEIGHT, WIDTH), np.uint8)] * 2
        pictures[side] = (255 * spot).round().astype(np.uint8)
        moved = rectification.apply(*pictures)[side].astype(float)
        moved_rows, moved_columns = np.indices(moved.shape)
        found.append([(moved * moved_columns).sum(), (moved * moved_rows).sum()] / moved.sum())
    return np.array(found)


@pytest.mark.parametrize("lens", LENSES)
def test_a_point_lies_on_one_row_and_its_disparity_is_its_depth(lens: str) -> None:
    left, right, right_from_left = rig_of(lens)
    rectification = StereoRectification(left, right)
    rig = rectification.rig
    assert not rectification.is_identity
    rng = np.random.default_rng(3)
    points = (
        np.column_stack([rng.uniform(-0.4, 0.5, 12), rng.uniform(-0.3, 0.3, 12), np.ones(12)])
        * rng.uniform(2, 20, 12)[:, None]
    )
    in_right = points @ right_from_left[:3, :3].T + right_from_left[:3, 3]
    on_left = rectified_pixels(rectification, 0, seen(left, points))
    on_right = rectified_pixels(rectification, 1, seen(right, in_right))
    assert np.abs(on_left[:, 1] - on_right[:, 1]).max() < 0.1
    depth = (points @ left.R.T)[:, 2]
    expected = rig.disparity(depth)
    np.testing.assert_allclose(on_left[:, 0] - on_right[:, 0], expected, atol=0.1)
    np.testing.assert_allclose(on_left, rig.project(points @ left.R.T), atol=0.1)
    assert rig.baseline_m == pytest.approx(np.linalg.norm(right_from_left[:3, 3]), rel=1e-6)


def warped(camera: CameraCalibration, points: Points) -> NDArray[np.bool_]:
    """Which rectified points the camera sees inside its picture."""
    x, y = seen(camera, points).T
    return (x > -0.5) & (x < camera.width - 0.5) & (y > -0.5) & (y < camera.height - 0.5)


def rectified_rays(camera: CameraCalibration) -> Points:
    """Rays (H * W, 3) of all rectified pixels in the camera's own frame."""
    rows, columns = np.indices((camera.height, camera.width))
    pixels = np.column_stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    return np.asarray(pixels @ np.linalg.inv(camera.P[:, :3]).T @ camera.R)


def widened(camera: CameraCalibration, scale: float) -> CameraCalibration:
    """The same camera with a rectified view that is wider than what it sees."""
    P = camera.P.copy()
    P[:2, :2] *= scale
    P[0, 3] *= scale
    return replace(camera, P=P)


@pytest.mark.parametrize("lens", ["none", "plumb_bob 4", "rational", "equidistant"])
def test_what_no_camera_sees_is_black_and_counted(lens: str) -> None:
    left, right, _ = rig_of(lens)
    left, right = widened(left, 0.8), widened(right, 0.8)
    rectification = StereoRectification(left, right)
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    pictures = rectification.apply(white, white)
    by_definition = [warped(c, rectified_rays(c)).reshape(HEIGHT, WIDTH) for c in (left, right)]
    for picture, expected in zip(pictures, by_definition, strict=True):
        assert ((picture == 255) == expected).mean() > 0.999
        assert set(np.unique(picture)) == {0, 255}
    share = 1 - (by_definition[0] & by_definition[1]).mean()
    assert rectification.invalid_share == pytest.approx(share, abs=1e-3)
    assert share > 0.05


@pytest.mark.parametrize("lens", ["none", "plumb_bob 4", "rational", "equidistant"])
def test_the_crop_leaves_no_black_border_and_keeps_the_metres(lens: str) -> None:
    left, right, _ = rig_of(lens)
    left, right = widened(left, 0.8), widened(right, 0.8)
    whole = StereoRectification(left, right)
    cropped = StereoRectification(left, right, crop_invalid=True)
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    assert all((picture == 255).all() for picture in cropped.apply(white, white))
    assert cropped.invalid_share == 0.0
    first, top, width, height = cropped.crop
    # What is cut away is mostly what could not be kept.
    assert width * height > 0.85 * (1 - whole.invalid_share) * WIDTH * HEIGHT
    point = np.array([0.1, 0.05, 4.0])
    moved = whole.rig.project(point) - cropped.rig.project(point)
    np.testing.assert_allclose(moved, [first, top])
    assert cropped.rig.focal_baseline == whole.rig.focal_baseline
    noise = np.random.default_rng(4).integers(0, 255, (2, HEIGHT, WIDTH, 3), np.uint8)
    for small, large in zip(cropped.apply(*noise), whole.apply(*noise), strict=True):
        np.testing.assert_array_equal(small, large[top : top + height, first : first + width])


def test_a_lens_that_folds_the_picture_back_does_not_show_it_twice() -> None:
    # This barrel turns at r = 1.1: beyond it the border of the picture would come back mirrored.
    K, P = np.array([[100.0, 0, 160], [0, 100, 120], [0, 0, 1]]), np.zeros((3, 4))
    P[:, :3] = np.diag([60.0, 60, 1])
    P[:2, 2] = 160, 120
    left = CameraCalibration(K, [-0.28, 0, 0, 0], np.eye(3), P, WIDTH, HEIGHT)
    right_P = P.copy()
    right_P[0, 3] = -6.0
    rectification = StereoRectification(left, replace(left, P=right_P))
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    picture, _ = rectification.apply(white, white)
    rows, columns = np.indices(picture.shape)
    radius = np.hypot(columns - 160, rows - 120) / 60
    assert (picture[radius > 1.15] == 0).all()
    assert (picture[(radius < 1.05)] == 255).all()


def test_a_rotation_alone_is_undone() -> None:
    left, right, _ = rig_of("none", tilt=(0.0, 0.0, 3.0))
    assert not left.is_distorted
    assert not StereoRectification(left, right).is_identity


def test_rectified_pictures_pass_as_they_are() -> None:
    left, right, _ = rig_of("plumb_bob 5")
    ideal = [
        replace(camera, K=camera.P[:, :3], D=np.zeros(5), R=np.eye(3)) for camera in (left, right)
    ]
    rectification = StereoRectification(*ideal)
    assert rectification.is_identity
    noise = np.random.default_rng(4).integers(0, 255, (2, HEIGHT, WIDTH), np.uint8)
    assert all(a is b for a, b in zip(rectification.apply(*noise), noise, strict=True)) or all(
        np.shares_memory(a, b) for a, b in zip(rectification.apply(*noise), noise, strict=True)
    )
    assert rectification.parameters()["interpolation"] == "none"


def test_equal_parameters_give_equal_pictures() -> None:
    left, right, _ = rig_of("equidistant")
    noise = np.random.default_rng(4).integers(0, 255, (2, HEIGHT, WIDTH, 3), np.uint8)
    told = json.loads(json.dumps(StereoRectification(left, right).parameters()))
    again = StereoRectification(
        *(CameraCalibration.from_row(told[side], side) for side in ("left", "right"))
    )
    for a, b in zip(
        again.apply(*noise), StereoRectification(left, right).apply(*noise), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_an_unknown_lens_names_the_known_ones() -> None:
    left, right, _ = rig_of("plumb_bob 4")
    strange = replace(right, distortion_model="double_sphere")
    with pytest.raises(CalibrationError, match=r"/right: .*'double_sphere' with 4.*equidistant"):
        StereoRectification(left, strange, "/left", "/right")


def test_a_picture_of_another_size_is_refused() -> None:
    rectification = StereoRectification(*rig_of("none")[:2], "/left", "/right")
    with pytest.raises(InputError, match="/right: expected 320x240 pixels .* found 320x120"):
        rectification.apply(np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((120, WIDTH), np.uint8))


def test_cameras_that_look_apart_are_refused_when_cropped() -> None:
    left, right, _ = rig_of("none")
    turned = replace(right, R=rotation((0, 170, 0)))
    with pytest.raises(CalibrationError, match="nothing in common"):
        StereoRectification(left, turned, crop_invalid=True)


# OpenCV inverts a distortion with five iterations, which far off the axis leaves some thousandths.
ORACLE_PX = 0.03


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(LENSES)),
    st.tuples(*(st.floats(-3, 3) for _ in range(3))),
    st.floats(-0.4, 0.4),
    st.floats(-0.3, 0.3),
    st.floats(2, 50),
)
def test_rows_agree_for_any_tilt_of_the_cameras(
    lens: str, tilt: tuple[float, float, float], x: float, y: float, depth: float
) -> None:
    left, right, right_from_left = rig_of(lens, tilt)
    point = np.array([[x * depth, y * depth, depth]])
    in_right = point @ right_from_left[:3, :3].T + right_from_left[:3, 3]
    pixels = [
        rectified(camera, seen(camera, p))[0] for camera, p in ((left, point), (right, in_right))
    ]
    rig = StereoRectification(left, right).rig
    assert abs(pixels[0][1] - pixels[1][1]) < ORACLE_PX
    assert pixels[0][0] - pixels[1][0] == pytest.approx(
        float(rig.disparity((point @ left.R.T)[0, 2])), abs=ORACLE_PX
    )


def rectified(camera: CameraCalibration, pixels: Points) -> Points:
    """OpenCV's way from pixels (N, 2) of the camera to the rectified picture."""
    undistort = (
        cv2.fisheye.undistortPoints
        if camera.distortion_model == "equidistant"
        else cv2.undistortPoints
    )
    D = camera.D if camera.D.size else np.zeros(4)
    found = undistort(pixels[:, None], camera.K, D, R=camera.R, P=camera.P[:, :3])
    return np.asarray(found).reshape(-1, 2)


def taken_raw(camera: CameraCalibration, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the camera would have recorded of a rectified picture."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    x, y = rectified(camera, pixels).reshape(HEIGHT, WIDTH, 2).transpose(2, 0, 1)
    maps = (x.astype(np.float32), y.astype(np.float32))
    return np.asarray(cv2.remap(picture, *maps, cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("lens", ["none", "plumb_bob 5", "rational", "equidistant"])
def test_raw_pictures_of_a_scene_become_a_good_pair_again(lens: str) -> None:
    left, right, _ = rig_of(lens)
    rng = np.random.default_rng(6)
    small = rng.integers(40, 215, (HEIGHT // 6, (WIDTH + 12) // 6), np.uint8)
    wall = cv2.resize(small, (WIDTH + 12, HEIGHT), interpolation=cv2.INTER_CUBIC)
    ideal = wall[:, :WIDTH], wall[:, 12:]
    raw = [taken_raw(*item) for item in zip((left, right), ideal, strict=True)]
    assert measure_epipolar(*raw).fault is not None
    rectification = StereoRectification(left, right, crop_invalid=True)
    pictures = rectification.apply(*raw)
    assert measure_epipolar(*pictures).fault is None
    first, top, width, height = rectification.crop
    for picture, expected in zip(pictures, ideal, strict=True):
        kept = expected[top : top + height, first : first + width].astype(float)
        assert np.abs(picture - kept)[3:-3, 3:-3].mean() < 2.5
