"""Does refinement find the motion of noisy points, and lean on the prior only where it must?"""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import deviations
from cups_core.motion.sf2se3.refinement import refine_motions
from cups_core.motion.sf2se3.turn_prior import TurnPrior

from ..scenes import INTERVAL_S
from .cloud import cloud, stacked

PRIOR = TurnPrior.between_frames(RigidTransform.identity(), INTERVAL_S)
# Turns about the middle of the points and shifts them.
TURN = RigidTransform.from_twist(np.array([0.0, 0.14, 0.0, 0.0, 0.0, 0.0])).rotation
CENTRE = np.array([0.0, 0.0, 10.0])
TRUTH = RigidTransform(TURN, CENTRE + [0.6, 0.0, -0.3] - TURN @ CENTRE)
START = RigidTransform(np.eye(3), np.array([0.2, 0.0, 0.0]))


def test_exact_points_give_the_exact_motion() -> None:
    points = cloud(TRUTH, 100)
    R, t = refine_motions(points, *stacked(START), np.ones((1, 100), np.bool_), PRIOR)
    assert RigidTransform(R[0], t[0]).apply(points.position) == pytest.approx(
        TRUTH.apply(points.position), abs=0.02
    )
    assert np.median(deviations(points, RigidTransform(R[0], t[0]))) < 0.1


def test_noise_and_a_fifth_of_outliers_are_borne() -> None:
    points = cloud(TRUTH, 300, noise_px=0.2)
    points.measured[::5, 0] += 8.0
    R, t = refine_motions(points, *stacked(START), np.ones((1, 300), np.bool_), PRIOR)
    found = RigidTransform(R[0], t[0])
    assert found.apply(CENTRE) == pytest.approx(TRUTH.apply(CENTRE), abs=0.1)
    assert found.after(TRUTH.inverse()).angle_rad < 0.05


def test_a_few_far_points_do_not_turn() -> None:
    far = RigidTransform(np.eye(3), np.array([0.8, 0.0, 0.0]))
    points = cloud(far, 4, (0.0, 0.0, 40.0), size_m=1.0, noise_px=0.3)
    R, t = refine_motions(points, *stacked(START), np.ones((1, 4), np.bool_), PRIOR)
    assert RigidTransform(R[0], t[0]).angle_rad < 2 * PRIOR.sigma_rad
    assert R[0] @ R[0].T == pytest.approx(np.eye(3), abs=1e-9)


def test_motions_are_refined_each_on_its_own_points() -> None:
    points = cloud(TRUTH, 100, noise_px=0.1)
    chosen = np.zeros((2, 100), np.bool_)
    chosen[0, :50], chosen[1, 50:] = True, True
    both = refine_motions(points, *stacked(START, TRUTH), chosen, PRIOR)
    for index, start in enumerate((START, TRUTH)):
        alone = refine_motions(points, *stacked(start), chosen[index : index + 1], PRIOR)
        assert both[0][index] == pytest.approx(alone[0][0], abs=1e-12)
        assert both[1][index] == pytest.approx(alone[1][0], abs=1e-12)


def test_a_motion_that_is_lost_does_not_concern_the_others() -> None:
    points = cloud(TRUTH, 50)
    rotations, translations = stacked(START, START)
    translations[0] = np.nan
    R, t = refine_motions(points, rotations, translations, np.ones((2, 50), np.bool_), PRIOR)
    assert np.isnan(t[0]).all()
    alone = refine_motions(points, *stacked(START), np.ones((1, 50), np.bool_), PRIOR)
    assert t[1] == pytest.approx(alone[1][0], abs=1e-12)
    assert np.isfinite(R[1]).all()
