"""Does evidence of motion arise where something moves, and nowhere else?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.motion.ground_plane import find_ground_plane
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion, measure_scene_flow
from cups_core.motion.static_evidence import StaticEvidence, weigh_static_hypothesis

from .scenes import (
    CAMERA_HEIGHT_M,
    DRIVING,
    INTERVAL_S,
    RIG,
    STANDING,
    STREET,
    Board,
    Scene,
)

MOVER = Board((0.0, 0.3, 10.0), (2.0, 1.8), (4.0, 0.0, 0.0))
STEPS = pytest.mark.parametrize("step", [STANDING, DRIVING], ids=["standing", "driving"])


def weighed(
    scene: Scene,
    motion: StereoMotion | None = None,
    moved_before: NDArray[np.bool_] | None = None,
) -> StaticEvidence:
    measured = measure_scene_flow(motion or scene.motion(0, 1, 0.1, 0.1), RIG)
    road = find_ground_plane(measured)
    return weigh_static_hypothesis(measured, scene.step, road, INTERVAL_S, 40.0, 10, moved_before)


def upper(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of the mask that the road does not touch."""
    rows = np.flatnonzero(mask.any(1))
    kept = mask.copy()
    kept[rows[0] + int(0.75 * len(rows)) :] = False
    return kept


@STEPS
@pytest.mark.parametrize(
    "velocity_mps", [(4.0, 0.0, 0.0), (0.0, 0.0, -8.0)], ids=["crossing", "oncoming"]
)
def test_a_moving_patch_has_evidence_and_static_ones_have_none(
    step: RigidTransform, velocity_mps: tuple[float, float, float]
) -> None:
    scene = Scene(step=step).plus(replace(MOVER, velocity_mps=velocity_mps))
    found = weighed(scene)
    moving = upper(scene.movers() > 0)
    assert np.median(found.evidence[moving]) > 1.0
    for number in range(3, len(STREET) + 1):
        thing = scene.numbers() == number
        assert np.median(found.evidence[thing]) < 0
        assert (found.evidence[thing] > 0.5).mean() < 0.1
    assert (found.evidence[scene.movers() == 0] > 0.5).mean() < 0.02
    assert found.evidence.max() <= 4.0


@STEPS
def test_the_residual_is_the_flow_that_ego_motion_does_not_explain(step: RigidTransform) -> None:
    scene = Scene(step=step).plus(MOVER)
    found = weighed(scene)
    moving = upper(scene.movers() > 0)
    expected = 0.4 * RIG.fx / (10.0 + step.translation_m[2])
    assert np.median(found.residual[moving][:, 0]) == pytest.approx(expected, rel=0.05)
    wall = scene.numbers() == 2
    assert np.abs(np.median(found.residual[wall], axis=0)).max() < 0.1


@STEPS
def test_a_near_mover_that_is_larger_than_all_else_near_has_evidence(step: RigidTransform) -> None:
    near = Board((-0.5, 0.4, 5.5), (2.6, 2.0), (4.0, 0.0, 0.0))
    scene = Scene(step=step).plus(near)
    found = weighed(scene)
    moving = upper(scene.movers() > 0)
    # What borders on the standing surfaces behind may repeat their flow and stays silent.
    assert (found.evidence[moving] > 0.5).mean() > 0.6
    assert (found.evidence[moving] < -0.1).mean() < 0.1
    assert np.median(found.sigma[moving]) < 1.0


@STEPS
def test_a_shadow_that_moves_over_the_road_is_ground(step: RigidTransform) -> None:
    shadow = Board((0.0, CAMERA_HEIGHT_M - 1e-3, 8.0), (2.0, 3.0), (4.0, 0.0, 0.0), axis=1)
    scene = Scene(step=step).plus(shadow)
    inside = scene.movers() > 0
    assert inside.sum() > 500
    found = weighed(scene)
    assert found.ground[inside].mean() > 0.98
    assert (found.evidence[inside] <= 0).mean() > 0.98


def test_the_road_is_ground_and_things_on_it_are_not() -> None:
    scene = Scene(step=DRIVING)
    found = weighed(scene)
    near_road = scene.numbers() == 1
    near_road[: int(RIG.cy) + 10] = False
    assert found.ground[near_road].mean() > 0.98
    for number in range(3, len(STREET) + 1):
        assert found.ground[upper(scene.numbers() == number)].mean() < 0.02


def test_without_a_road_nothing_is_ground() -> None:
    scene = Scene().plus(MOVER)
    measured = measure_scene_flow(scene.motion(), RIG)
    found = weigh_static_hypothesis(measured, STANDING, None, INTERVAL_S, 40.0, 10)
    assert not found.ground.any()


@STEPS
def test_a_silent_surface_gives_no_evidence_of_motion(step: RigidTransform) -> None:
    # No texture: flow that does not come back, and no disparity.
    scene = Scene(step=step).plus(MOVER)
    motion = scene.motion(0, 1, 0.1, 0.1)
    silent = scene.movers() > 0
    random = np.random.default_rng(0)
    motion.flow_forward[silent] += random.normal(0, 30, (silent.sum(), 2)).astype(np.float32)
    motion.disparity[silent] = 0
    found = weighed(scene, motion)
    assert not found.known[silent].any()
    assert found.informative[silent].mean() < 0.05
    assert (found.evidence[silent] > 0.5).mean() < 0.05


def test_a_surface_without_flow_shows_by_its_depth_that_it_left() -> None:
    # A board drives off to the side; where it was the wall appears, which flow need not say.
    scene = Scene().plus(replace(MOVER, velocity_mps=(30.0, 0.0, 0.0)))
    motion = scene.motion(0, 1, 0.1, 0.1)
    gone = upper(scene.movers() > 0)
    gone[:, np.flatnonzero((scene.movers() > 0).any(0))[-8:]] = False
    motion.flow_forward[scene.movers() > 0] += np.float32(40)
    found = weighed(scene, motion)
    assert found.informative[gone].mean() < 0.05
    assert np.median(found.evidence[gone]) > 0.5


def test_flow_faster_than_anything_drives_is_a_mismatch() -> None:
    scene = Scene().plus(replace(MOVER, velocity_mps=(15.0, 0.0, 0.0)))
    measured = measure_scene_flow(scene.motion(0, 1, 0.1, 0.1), RIG)
    moving = upper(scene.movers() > 0)
    informative = [
        weigh_static_hypothesis(measured, STANDING, None, INTERVAL_S, fastest, 10)
        .informative[moving]
        .mean()
        for fastest in (5.0, 40.0)
    ]
    assert informative[0] < 0.2 < 0.8 < informative[1]


def test_having_moved_before_tips_what_is_not_measured_and_nothing_else() -> None:
    scene = Scene().plus(replace(MOVER, velocity_mps=(0.0, 0.0, 0.0)))
    motion = scene.motion(0, 1, 0.1, 0.1)
    board = scene.numbers() == len(scene.boards)
    inner = np.zeros(RIG.shape, np.bool_)
    inner[75:95, 145:175] = True
    assert board[inner].all()
    measured = weighed(scene, motion, moved_before=inner)
    assert (measured.evidence[inner] <= 0).mean() > 0.95
    motion.flow_forward[inner] = 1e3
    motion.disparity[inner] = 0
    before, after = weighed(scene, motion), weighed(scene, motion, moved_before=inner)
    assert np.median(before.evidence[inner]) == pytest.approx(0.0, abs=0.05)
    assert (after.evidence[inner] > 0).mean() > 0.95


def test_the_noise_scales_follow_the_noise() -> None:
    noises = (0.05, 0.15, 0.5, 1.0)
    found = [weighed(Scene(step=DRIVING), Scene(step=DRIVING).motion(0, 1, n, n)) for n in noises]
    flow_sigma = [float(np.median(one.sigma[~one.ground])) for one in found]
    disparity_sigma = [one.disparity_sigma for one in found]
    assert flow_sigma == sorted(flow_sigma)
    assert disparity_sigma == sorted(disparity_sigma)
    # The noise grows twentyfold; of the disparities at t+1 the best fitting neighbour counts.
    assert flow_sigma[-1] > 4 * flow_sigma[0]
    assert disparity_sigma[-1] > 2 * disparity_sigma[0]


@pytest.mark.parametrize("noise_px", [0.05, 0.3, 1.0])
def test_noise_alone_is_no_evidence(noise_px: float) -> None:
    scene = Scene(step=DRIVING)
    found = weighed(scene, scene.motion(0, 1, noise_px, noise_px))
    assert (found.evidence > 0.5).mean() < 0.02
