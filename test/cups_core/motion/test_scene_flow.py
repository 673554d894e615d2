"""Are measurements kept that agree with each other, and those marked that do not?"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.motion.scene_flow import UNVERIFIED, StereoMotion, measure_scene_flow

from .scenes import DRIVING, RIG, Board, Scene

MAPS = [field.name for field in fields(StereoMotion)]


@pytest.fixture(scope="module")
def motion() -> StereoMotion:
    return Scene(step=DRIVING).motion()


def test_agreeing_measurements_are_kept_as_they_are(motion: StereoMotion) -> None:
    scene = measure_scene_flow(motion, RIG)
    kept = scene.disparity > 0
    assert kept.mean() > 0.85
    assert np.array_equal(scene.disparity[kept], motion.disparity[kept])
    assert np.array_equal(scene.flow, motion.flow_forward)
    assert np.median(scene.flow_error[scene.flow_error < UNVERIFIED]) < 0.01


def test_a_disparity_that_the_right_view_denies_becomes_unknown(motion: StereoMotion) -> None:
    wrong = motion.disparity.copy()
    wrong[100:110, 100:150] += 5
    scene = measure_scene_flow(replace(motion, disparity=wrong), RIG)
    assert not scene.disparity[100:110, 100:150].any()
    assert (scene.disparity[112:122, 100:150] > 0).all()


def test_a_disparity_that_the_right_view_lacks_becomes_unknown(motion: StereoMotion) -> None:
    empty = np.zeros_like(motion.disparity_right)
    scene = measure_scene_flow(replace(motion, disparity_right=empty), RIG)
    assert not scene.disparity.any()
    assert scene.next_map.any()


def test_a_surface_that_the_right_camera_does_not_see_becomes_unknown() -> None:
    # The near board hides a strip of the wall, to its left, from the right camera.
    board = Board((0.0, 0.0, 8.0), (2.0, 2.0))
    scene = Scene().plus(board)
    found = measure_scene_flow(scene.motion(), RIG).disparity
    left = int(np.flatnonzero((scene.numbers() == len(scene.boards))[80]).min())
    assert not found[60:80, left - 8 : left - 1].any()
    assert (found[60:80, left + 1 : left + 30] > 0).all()


def test_flow_that_leaves_the_image_is_unverified(motion: StereoMotion) -> None:
    scene = measure_scene_flow(motion, RIG)
    x, y = np.meshgrid(np.arange(RIG.width), np.arange(RIG.height))
    to_x, to_y = x + motion.flow_forward[..., 0], y + motion.flow_forward[..., 1]
    outside = (to_x < 0) | (to_y < 0) | (to_x > RIG.width - 1) | (to_y > RIG.height - 1)
    assert outside.any()
    assert (scene.flow_error[outside] == UNVERIFIED).all()
    assert not scene.next_disparity[outside].any()
    assert (scene.flow_error[~outside] < UNVERIFIED).all()


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_flow_without_a_value_is_unverified(motion: StereoMotion, lost: float) -> None:
    flow = motion.flow_forward.copy()
    flow[50, 60] = lost
    scene = measure_scene_flow(replace(motion, flow_forward=flow), RIG)
    assert scene.flow_error[50, 60] == UNVERIFIED
    assert scene.next_disparity[50, 60] == 0


def test_the_error_is_how_far_the_way_back_misses(motion: StereoMotion) -> None:
    shifted = motion.flow_backward + np.array([3.0, -4.0], np.float32)
    scene = measure_scene_flow(replace(motion, flow_backward=shifted), RIG)
    assert np.median(scene.flow_error) == pytest.approx(5.0, abs=0.05)


def test_the_next_disparity_is_the_one_at_the_target(motion: StereoMotion) -> None:
    scene = measure_scene_flow(motion, RIG)
    # The road's disparity grows as the camera nears it; flow leads to where it did.
    known = (scene.next_disparity > 0) & (Scene(step=DRIVING).numbers() == 1)
    assert known.sum() > 5000
    assert (scene.next_disparity[known] - scene.disparity[known] > -0.5).all()
    wall = (scene.next_disparity > 0) & (Scene(step=DRIVING).numbers() == 2)
    expected = RIG.focal_baseline / 39.4
    assert np.median(scene.next_disparity[wall]) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("stride", [2, 3])
def test_a_coarse_grid_holds_every_so_many_th_point(motion: StereoMotion, stride: int) -> None:
    fine, coarse = (measure_scene_flow(motion, RIG, step) for step in (1, stride))
    for name in ("flow", "flow_error", "disparity", "next_disparity"):
        assert np.array_equal(getattr(coarse, name), getattr(fine, name)[::stride, ::stride]), name
    assert np.array_equal(coarse.next_map, fine.next_map)
    columns, rows = coarse.pixel_coordinates()
    assert columns.tolist() == list(range(0, RIG.width, stride))
    assert rows.tolist() == list(range(0, RIG.height, stride))


@pytest.mark.parametrize(("width", "height", "stride"), [(600, 500, 1), (602, 500, 2)])
def test_images_above_300000_pixels_get_every_second_point(
    width: int, height: int, stride: int
) -> None:
    flow = np.zeros((height, width, 2), np.float32)
    maps = [np.ones((height, width), np.float32)] * 4
    scene = measure_scene_flow(StereoMotion(flow, flow, *maps), RIG.resized(width, height))
    assert scene.stride == stride
    assert scene.disparity.shape == (height // stride, width // stride)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_of_another_size_or_type_is_refused(motion: StereoMotion, name: str) -> None:
    found = getattr(motion, name)
    # The others are compared with the disparity at t: the first of them is named in its place.
    other = "flow_forward" if name == "disparity" else name
    with pytest.raises(InputError, match=f"{other}: expected float32"):
        replace(motion, **{name: found[:-1].copy()})
    with pytest.raises(InputError, match=f"{name}: expected float32.*found float64"):
        replace(motion, **{name: found.astype(np.float64)})


def test_estimates_of_another_size_than_the_rig_are_refused(motion: StereoMotion) -> None:
    with pytest.raises(InputError, match=r"\(160, 320\), the rig has \(80, 160\)"):
        measure_scene_flow(motion, RIG.resized(160, 80))
