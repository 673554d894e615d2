from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_core.semantics.scene_view import SURFACE_CHANNELS
from cups_core.semantics.surface_geometry import view_scene

HEIGHT, WIDTH = 240, 320
K = np.array([[300.0, 0, 159.5], [0, 300, 100], [0, 0, 1]])
RIG = StereoRig(K, 0.5, WIDTH, HEIGHT)
CAMERA_M, WALL_M, BOX_M, BOX_TOP_M = 1.6, 20.0, 8.0, 0.8


def street(roll: float = 0.0, pitch: float = 0.0) -> tuple[StereoFrame, np.ndarray, np.ndarray]:
    """A road, a wall across it and a box in front: frame, disparity, height of each pixel."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    rays = np.stack(
        [(columns - K[0, 2]) / K[0, 0], (rows - K[1, 2]) / K[1, 1], np.ones(rows.shape)]
    )
    turn_roll = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    turn_pitch = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    level = np.einsum("ij,jhw->ihw", turn_pitch @ turn_roll, rays)
    with np.errstate(divide="ignore"):
        distance = np.where(level[1] > 0, CAMERA_M / level[1], np.inf)  # in units of the ray
    distance = np.minimum(distance, WALL_M / level[2])
    at_box = BOX_M / level[2]
    x, y = level[0] * at_box, level[1] * at_box
    is_box = (np.abs(x) < 1.0) & (y > CAMERA_M - BOX_TOP_M) & (at_box < distance)
    distance = np.where(is_box, at_box, distance)
    disparity = (RIG.focal_baseline / distance).astype(np.float32)  # a ray has length 1 along z
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return StereoFrame(image, image, 1, RIG), disparity, CAMERA_M - level[1] * distance


def channel(name: str, frame: StereoFrame, disparity: np.ndarray) -> np.ndarray:
    surface = view_scene(frame, disparity).surface
    assert surface is not None
    return surface[..., SURFACE_CHANNELS.index(name)]


@pytest.mark.parametrize(("roll", "pitch"), [(0.0, 0.0), (0.05, 0.0), (-0.03, 0.06)])
def test_height_is_measured_from_the_road_however_the_camera_hangs(
    roll: float, pitch: float
) -> None:
    frame, disparity, truth = street(roll, pitch)
    np.testing.assert_allclose(channel("height_m", frame, disparity), truth, atol=0.05)


def test_a_road_lies_and_a_wall_faces_the_camera() -> None:
    frame, disparity, _ = street()
    up, facing = (channel(name, frame, disparity) for name in ("up", "facing"))
    road, wall = np.s_[210:, 20:100], np.s_[10:80, 20:300]
    assert np.nanmin(up[road]) > 0.98
    assert np.nanmax(np.abs(facing[road])) < 0.2
    assert np.nanmin(facing[wall]) > 0.98
    assert np.nanmax(np.abs(up[wall])) < 0.2


def test_rays_above_the_horizon_have_positive_elevation() -> None:
    frame, disparity, _ = street(pitch=0.05)
    elevation = channel("elevation", frame, disparity)
    horizon = K[1, 2] + 300 * np.tan(0.05)
    assert (elevation[: int(horizon) - 2, 160] > 0).all()
    assert (elevation[int(horizon) + 3 :, 160] < 0).all()


def test_what_stereo_does_not_know_stays_unknown() -> None:
    frame, disparity, _ = street()
    disparity[:100] = 0
    view = view_scene(frame, disparity)
    assert np.isnan(view.depth_m[:100]).all()
    assert np.isnan(channel("height_m", frame, disparity)[:100]).all()
    assert np.isfinite(channel("elevation", frame, disparity)).all()


def test_without_any_disparity_the_rays_are_measured_from_the_camera() -> None:
    frame, disparity, _ = street()
    nothing = np.zeros_like(disparity)
    assert np.isnan(channel("height_m", frame, nothing)).all()
    elevation = channel("elevation", frame, nothing)
    assert elevation[100, 160] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("cut", [0, 1])
def test_every_second_pixel_tells_what_all_pixels_tell(cut: int) -> None:
    frame, disparity, _ = street()
    height, width = disparity.shape[0] - cut, disparity.shape[1] - cut
    rig = frame.rig.cropped(0, 0, width, height)
    left, right = (
        np.ascontiguousarray(image[:height, :width]) for image in (frame.left, frame.right)
    )
    smaller = StereoFrame(left, right, frame.stamp_ns, rig)
    known = np.ascontiguousarray(disparity[:height, :width])
    whole, half = view_scene(smaller, known), view_scene(smaller, known, step=2)
    assert half.shape == (-(-height // 2), -(-width // 2))
    np.testing.assert_array_equal(half.depth_m, whole.depth_m[::2, ::2])
    for name in ("height_m", "elevation"):
        place = SURFACE_CHANNELS.index(name)
        np.testing.assert_array_equal(half.surface[..., place], whole.surface[::2, ::2, place])
    inside = np.s_[: height // 2, : width // 2]
    means = left[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2, 3)
    np.testing.assert_allclose(half.image[inside], means.mean((1, 3)), atol=1e-3)


def test_a_disparity_of_another_size_is_refused() -> None:
    frame, disparity, _ = street()
    with pytest.raises(InputError, match=r"expected float32 \(240, 320\)"):
        view_scene(frame, disparity[1:])
