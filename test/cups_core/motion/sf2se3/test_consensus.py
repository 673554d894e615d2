"""Is a deviation measured in units of all the noise that takes part in it?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import (
    INLIER_PROBABILITY,
    UNEXPLAINED,
    deviation,
    deviations,
    soft_inliers,
    tail,
)

from ..scenes import RIG
from .cloud import CAMERA, cloud, stacked

MOTION = RigidTransform.from_twist(np.array([0.02, -0.05, 0.01, 0.6, -0.1, -0.8]))


def predicted(disparity: float, pixel: tuple[float, float]) -> np.ndarray:
    ray = np.array([(pixel[0] - RIG.cx) / RIG.fx, (pixel[1] - RIG.cy) / RIG.fy, 1.0])
    moved = MOTION.apply(ray * RIG.focal_baseline / disparity)
    return np.append(RIG.project(moved), RIG.focal_baseline / moved[2])


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.floats(10, 300), st.floats(10, 150)),
    st.floats(6, 40),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.floats(0.05, 2),
    st.floats(0.05, 1),
)
def test_it_is_the_mahalanobis_distance_of_the_propagated_covariance(
    pixel: tuple[float, float],
    disparity: float,
    error: tuple[float, float, float],
    sigma: float,
    sigma_disparity: float,
) -> None:
    ray = np.array([(pixel[0] - RIG.cx) / RIG.fx, (pixel[1] - RIG.cy) / RIG.fy, 1.0])
    step = 1e-4
    slope = (predicted(disparity + step, pixel) - predicted(disparity - step, pixel)) / (2 * step)
    covariance = np.diag([sigma**2, sigma**2, sigma_disparity**2])
    covariance += sigma_disparity**2 * np.outer(slope, slope)
    found = deviation(
        CAMERA,
        MOTION.rotation,
        MOTION.translation_m,
        ray * RIG.focal_baseline / disparity,
        disparity,
        predicted(disparity, pixel) + np.array(error),
        sigma,
        sigma_disparity,
    )
    expected = np.array(error) @ np.linalg.solve(covariance, error)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


@given(st.floats(0, 20))
def test_the_tail_is_that_of_chi_square(squared: float) -> None:
    assert tail(squared, True) == pytest.approx(chi2.sf(squared, 3), abs=1e-9)
    assert tail(squared, False) == pytest.approx(chi2.sf(squared, 2), abs=1e-9)


def test_points_of_the_motion_are_inliers_evenly_spread() -> None:
    points = cloud(MOTION, count=2000, noise_px=0.3)
    soft = soft_inliers(points, *stacked(MOTION))[0]
    assert kstest(soft, "uniform").pvalue > 0.001
    assert (soft > INLIER_PROBABILITY).mean() > 0.93


def test_an_unknown_disparity_leaves_the_flow_to_judge() -> None:
    points = cloud(MOTION, count=50)
    points.measured[:, 2] = np.nan
    assert deviations(points, MOTION) == pytest.approx(0, abs=1e-6)
    still = deviations(points, RigidTransform.identity())
    assert (still > 100).all()


def test_what_would_be_behind_the_camera_is_unexplained() -> None:
    points = cloud(MOTION, count=5)
    away = RigidTransform(np.eye(3), np.array([0.0, 0.0, -20.0]))
    assert (deviations(points, away) == UNEXPLAINED).all()
