"""Is the road found where there is one, whatever stands on it, and no road where there is none?"""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from cups_core.motion.ground_plane import find_ground_plane
from cups_core.motion.scene_flow import SceneFlow, measure_scene_flow

from .scenes import CAMERA_HEIGHT_M, RIG, ROAD, STREET, WALL, Board, Scene


def measured(scene: Scene, noise_px: float = 0.1) -> SceneFlow:
    return measure_scene_flow(scene.motion(disparity_noise_px=noise_px), scene.rig)


@pytest.mark.parametrize("height_m", [0.6, 1.5, 3.0])
def test_the_camera_height_over_a_road_is_found(height_m: float) -> None:
    boards = (Board((0.0, height_m, 0.0), (1000.0, 1000.0), axis=1), *STREET[1:])
    plane = find_ground_plane(measured(Scene(boards)))
    assert plane is not None
    assert plane.camera_height_m == pytest.approx(height_m, rel=0.02)


def test_the_disparity_of_the_road_is_predicted() -> None:
    scene = Scene()
    found = measured(scene)
    plane = find_ground_plane(found)
    assert plane is not None
    predicted = plane.disparity(*found.pixel_coordinates())
    road = scene.numbers() == 1
    assert np.abs(predicted - scene.disparities()[0])[road].max() < 0.5
    assert (predicted[: int(RIG.cy) - 2] <= 0).all()


def test_a_camera_that_leans_to_the_side_sees_a_leaning_plane() -> None:
    scene = measured(Scene((ROAD, WALL)))
    columns, rows = scene.pixel_coordinates()
    lean = np.tan(np.radians(3.0))
    slope = RIG.baseline_m / CAMERA_HEIGHT_M
    disparity = slope * (rows[:, None] - RIG.cy) + slope * lean * (columns[None] - RIG.cx)
    leaning = np.where(disparity > 3.24, disparity, 3.24).astype(np.float32)
    plane = find_ground_plane(replace(scene, disparity=leaning))
    assert plane is not None
    assert plane.slope_x / plane.slope_y == pytest.approx(lean, rel=0.05)


def test_three_tenths_of_things_do_not_lift_it() -> None:
    # Boxes with flat tops, side by side, half a metre above the road.
    things = [Board((x, CAMERA_HEIGHT_M - 0.5, 7.0), (1.2, 3.0), axis=1) for x in (-3.0, 2.0)]
    fronts = [Board((x, CAMERA_HEIGHT_M - 0.25, 5.5), (1.2, 0.5)) for x in (-3.0, 2.0)]
    scene = Scene().plus(*things, *fronts, Board((0.0, 0.5, 7.0), (2.6, 2.0)))
    lower = scene.numbers()[RIG.height // 2 :]
    assert 0.3 < (lower > len(STREET)).mean() < 0.5
    plane = find_ground_plane(measured(scene))
    assert plane is not None
    assert plane.camera_height_m == pytest.approx(CAMERA_HEIGHT_M, rel=0.02)


def test_a_wall_is_no_road() -> None:
    scene = Scene((Board((0.0, 0.0, 10.0), (100.0, 100.0)),))
    assert find_ground_plane(measured(scene)) is None


def test_a_ceiling_is_no_road() -> None:
    scene = measured(Scene((ROAD, WALL)))
    upside_down = np.ascontiguousarray(scene.disparity[::-1])
    assert find_ground_plane(replace(scene, disparity=upside_down)) is None


def test_without_disparity_there_is_no_road() -> None:
    scene = measured(Scene())
    assert find_ground_plane(replace(scene, disparity=np.zeros_like(scene.disparity))) is None


def test_the_same_input_gives_the_same_plane() -> None:
    scene = measured(Scene(), noise_px=0.5)
    first, second = find_ground_plane(scene), find_ground_plane(scene)
    assert first is not None
    assert second is not None
    assert astuple(first) == astuple(second)
