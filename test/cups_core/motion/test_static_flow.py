"""Is the predicted flow that of a camera that moves through a scene that does not?"""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.static_flow import predict_static_flow

from .scenes import DRIVING, RIG, STANDING, STREET, Board, Scene

TURNING = RigidTransform.from_twist(np.array([0.002, 0.05, 0.0, 0.0, 0.0, 0.0]))
REVERSING = RigidTransform.from_twist(np.array([0.0, -0.01, 0.0, 0.05, 0.0, 0.5]))


@pytest.mark.parametrize("step", [STANDING, DRIVING, TURNING, REVERSING])
def test_before_a_wall_it_is_the_exact_flow(step: RigidTransform) -> None:
    scene = Scene((Board((0.0, 0.0, 10.0), (400.0, 400.0)),), step)
    found = predict_static_flow(scene.disparities()[0], RIG, step)
    assert found.dtype == np.float32
    assert found.shape == (*RIG.shape, 2)
    # Half a cell at the border repeats its neighbour.
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(found - scene.flow())[inner].max() < 0.05


def test_on_a_street_it_is_off_beside_edges_only() -> None:
    scene = Scene(step=DRIVING)
    found = predict_static_flow(scene.disparities()[0], RIG, DRIVING)
    away = np.linalg.norm(found - scene.flow(), axis=2)
    assert np.median(away) < 0.1
    assert (away < 1.0).mean() > 0.95


def test_what_moves_is_not_predicted() -> None:
    mover = Board((0.0, 0.5, 10.0), (2.0, 1.8), (5.0, 0.0, 0.0))
    scene = Scene(step=DRIVING).plus(mover)
    found = predict_static_flow(scene.disparities()[0], RIG, DRIVING)
    inside = scene.numbers() == len(STREET) + 1
    missing = np.median((scene.flow() - found)[inside], axis=0)
    assert missing[0] == pytest.approx(0.5 * RIG.fx / 9.4, rel=0.05)
    assert missing[1] == pytest.approx(0.0, abs=0.1)


def test_without_any_disparity_only_the_rotation_is_left() -> None:
    unknown = np.zeros(RIG.shape, np.float32)
    found = predict_static_flow(unknown, RIG, TURNING)
    far = Scene((Board((0.0, 0.0, 1e4), (1e6, 1e6)),), TURNING).flow()
    assert np.abs(found - far)[2:-2, 2:-2].max() < 0.05


def test_a_gap_is_taken_for_what_lies_before_it_in_the_row() -> None:
    scene = Scene((Board((0.0, 0.0, 10.0), (400.0, 400.0)),), DRIVING)
    gaps = scene.disparities()[0].copy()
    gaps[:, 100:200] = 0
    found = predict_static_flow(gaps, RIG, DRIVING)
    assert np.abs(found - scene.flow())[2:-2, 2:-2].max() < 0.05


@pytest.mark.parametrize("step_m", [-1e3, -20.0, 20.0, 1e3])
def test_it_stays_finite_and_near_the_image_for_any_disparity(step_m: float) -> None:
    # With such steps some points come to lie behind the camera.
    random = np.random.default_rng(0)
    disparity = random.uniform(-5, 200, RIG.shape).astype(np.float32)
    step = RigidTransform.from_twist(np.array([0.5, -0.5, 1.0, step_m, 0.0, step_m]))
    found = predict_static_flow(disparity, RIG, step)
    assert np.isfinite(found).all()
    assert np.abs(found[..., 0]).max() <= RIG.width
    assert np.abs(found[..., 1]).max() <= RIG.height


@pytest.mark.parametrize("size", [(33, 47), (75, 201)])
def test_sizes_that_no_cell_divides_are_kept(size: tuple[int, int]) -> None:
    rig = RIG.resized(size[1], size[0])
    found = predict_static_flow(np.full(size, 5, np.float32), rig, STANDING)
    assert found.shape == (*size, 2)
    assert np.abs(found).max() < 1e-3
