"""Do minimal clusters keep their distances, and do their motions come near the truth?"""

from __future__ import annotations

import numpy as np

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.measured_points import MeasuredPoints
from cups_core.motion.sf2se3.proposals import LARGEST_CLUSTER, link_rigid_pairs, propose_motions
from cups_core.motion.sf2se3.turn_prior import TurnPrior

from ..scenes import INTERVAL_S
from .cloud import cloud

EGO = RigidTransform.identity()
PRIOR = TurnPrior.between_frames(EGO, INTERVAL_S)
FIRST = RigidTransform(np.eye(3), np.array([0.8, 0.0, 0.0]))
SECOND = RigidTransform(np.eye(3), np.array([-0.8, 0.0, 0.0]))


def two_clouds(noise_px: float, second_at: tuple[float, float, float]) -> MeasuredPoints:
    one = cloud(FIRST, 40, noise_px=noise_px)
    other = cloud(SECOND, 40, second_at, noise_px=noise_px, seed=1)
    return MeasuredPoints(
        one.rig,
        *(
            np.concatenate([getattr(one, name), getattr(other, name)])
            for name in ("rows", "columns", "position", "disparity", "measured", "sigma")
        ),
        one.sigma_disparity,
    )


def proposals(points: MeasuredPoints, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0).random((1, 200, LARGEST_CLUSTER))
    return propose_motions(points, link_rigid_pairs(points), free[None], draws, PRIOR)


def test_rigid_pairs_are_linked_and_far_ones_are_not() -> None:
    points = two_clouds(0.0, (9.0, 0.0, 10.0))
    linked = link_rigid_pairs(points)
    assert (linked == linked.T).all()
    assert not linked.diagonal().any()
    assert linked[:40, :40].sum() == 40 * 39
    assert not linked[:40, 40:].any()


def test_pairs_that_part_are_not_linked() -> None:
    points = two_clouds(0.0, (3.0, 0.0, 10.0))
    between = link_rigid_pairs(points)[:40, 40:]
    assert between.mean() < 0.05


def test_the_gate_opens_with_the_noise_of_depth() -> None:
    for depth in (10.0, 25.0, 40.0):
        points = cloud(FIRST, 60, (0.0, 0.0, depth), noise_px=0.15)
        linked = link_rigid_pairs(points)
        assert linked.sum() / (60 * 59) > 0.85


def test_points_without_a_later_disparity_have_no_partner() -> None:
    points = cloud(FIRST, 30)
    points.measured[:10, 2] = np.nan
    linked = link_rigid_pairs(points)
    assert not linked[:10].any()
    assert linked[10:, 10:].sum() == 20 * 19


def test_most_proposals_are_near_one_of_the_motions() -> None:
    points = two_clouds(0.05, (3.0, 0.0, 10.0))
    rotations, translations = proposals(points, np.ones(80, np.bool_))
    moved = np.einsum("rpij,j->rpi", rotations, [1.5, 0.0, 10.0]) + translations
    errors = [
        np.linalg.norm(moved - motion.apply(np.array([1.5, 0.0, 10.0])), axis=-1)
        for motion in (FIRST, SECOND)
    ]
    assert (np.minimum(*errors) < 0.3).mean() > 0.8
    assert (errors[0] < 0.3).any()
    assert (errors[1] < 0.3).any()


def test_only_free_points_are_drawn() -> None:
    points = two_clouds(0.05, (3.0, 0.0, 10.0))
    free = np.arange(80) >= 40
    rotations, translations = proposals(points, free)
    moved = np.einsum("rpij,j->rpi", rotations, [3.0, 0.0, 10.0]) + translations
    assert (np.abs(moved[..., 0] - 2.2) < 0.3).mean() > 0.9


def test_where_no_point_is_free_nothing_is_proposed() -> None:
    points = cloud(FIRST, 20)
    rotations, translations = proposals(points, np.zeros(20, np.bool_))
    assert np.isnan(rotations).all()
    assert np.isnan(translations).all()
