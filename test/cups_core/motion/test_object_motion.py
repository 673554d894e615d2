"""Is a region's displacement in space the true one, whatever its direction and the noise?"""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.motion.object_motion import ObjectMotion, fit_object_motion
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import measure_scene_flow
from cups_core.motion.static_evidence import weigh_static_hypothesis

from .scenes import DRIVING, INTERVAL_S, RIG, STANDING, STREET, Board, Scene


def fitted(scene: Scene, noise_px: float) -> ObjectMotion:
    """Displacement of every board behind the static ones, in their order."""
    motion = scene.motion(flow_noise_px=noise_px, disparity_noise_px=noise_px)
    measured = measure_scene_flow(motion, RIG)
    weighed = weigh_static_hypothesis(measured, scene.step, None, INTERVAL_S, 40.0, 10)
    region = np.maximum(scene.numbers() - len(STREET), 0).astype(np.int64)
    return fit_object_motion(measured, weighed, region, len(scene.boards) - len(STREET))


@pytest.mark.parametrize("step", [STANDING, DRIVING], ids=["standing", "driving"])
@pytest.mark.parametrize("noise_px", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(
    "velocity_mps",
    [(5.0, 0.0, 0.0), (-2.0, 0.0, 0.0), (3.0, 0.0, 3.0), (0.0, 0.0, 8.0)],
    ids=["right", "left", "away to the right", "away"],
)
def test_the_displacement_is_that_of_the_object(
    velocity_mps: tuple[float, float, float], noise_px: float, step: RigidTransform
) -> None:
    mover = Board((0.5, 0.4, 10.0), (2.0, 1.8), velocity_mps)
    found = fitted(Scene(step=step).plus(mover), noise_px)
    truth = step.rotation @ np.array(velocity_mps) * INTERVAL_S
    assert np.linalg.norm(found.displacement_m[1] - truth) < 0.15 * np.linalg.norm(truth)
    assert found.explained[1] > 0.5


@pytest.mark.parametrize("step", [STANDING, DRIVING], ids=["standing", "driving"])
@pytest.mark.parametrize("noise_px", [0.0, 0.1, 0.3])
def test_the_displacement_of_an_oncoming_object_is_found(
    noise_px: float, step: RigidTransform
) -> None:
    mover = Board((0.5, 0.4, 10.0), (2.0, 1.8), (0.0, 0.0, -5.0))
    found = fitted(Scene(step=step).plus(mover), noise_px)
    truth = step.rotation @ np.array((0.0, 0.0, -0.5))
    assert np.linalg.norm(found.displacement_m[1] - truth) < 0.15 * np.linalg.norm(truth)


def test_each_region_has_its_own_displacement() -> None:
    left = Board((-2.0, 0.4, 9.0), (1.5, 1.8), (-4.0, 0.0, 0.0))
    right = Board((2.0, 0.4, 9.0), (1.5, 1.8), (4.0, 0.0, 0.0))
    found = fitted(Scene().plus(left, right), 0.1)
    assert found.displacement_m.shape == (3, 3)
    assert found.displacement_m[1] == pytest.approx([-0.4, 0.0, 0.0], abs=0.04)
    assert found.displacement_m[2] == pytest.approx([0.4, 0.0, 0.0], abs=0.04)


def test_a_standing_region_has_none() -> None:
    found = fitted(Scene(step=DRIVING).plus(Board((0.5, 0.4, 10.0), (2.0, 1.8))), 0.1)
    assert np.linalg.norm(found.displacement_m[1]) < 0.02


def test_a_region_that_was_not_measured_has_none() -> None:
    scene = Scene()
    motion = scene.motion()
    motion.disparity[:] = 0
    measured = measure_scene_flow(motion, RIG)
    weighed = weigh_static_hypothesis(measured, STANDING, None, INTERVAL_S, 40.0, 10)
    region = np.zeros(RIG.shape, np.int64)
    region[60:90, 100:140] = 1
    found = fit_object_motion(measured, weighed, region, 1)
    assert not found.displacement_m.any()


def test_motion_against_each_other_is_not_explained_by_one_displacement() -> None:
    # One region over two boards that part.
    left = Board((-1.0, 0.4, 9.0), (2.0, 1.8), (-4.0, 0.0, 0.0))
    right = Board((1.0, 0.4, 9.0), (2.0, 1.8), (4.0, 0.0, 0.0))
    scene = Scene().plus(left, right)
    measured = measure_scene_flow(scene.motion(flow_noise_px=0.1, disparity_noise_px=0.1), RIG)
    weighed = weigh_static_hypothesis(measured, STANDING, None, INTERVAL_S, 40.0, 10)
    region = (scene.movers() > 0).astype(np.int64)
    apart = fit_object_motion(measured, weighed, region, 1).explained[1]
    one = fit_object_motion(measured, weighed, region * (scene.movers() == 7), 1).explained[1]
    assert apart < 0.6 < 0.9 < one
