"""Is the camera's motion found among all that moves by itself, and always the same one?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.motion.ego_motion import Correspondences, estimate_ego_motion
from cups_core.motion.rigid_transform import RigidTransform

from .scenes import DRIVING, RIG, STANDING

POINTS = 1500


def cloud(seed: int, points: int = POINTS) -> NDArray[np.float64]:
    """Points 4 to 40 m ahead, spread over the image."""
    random = np.random.default_rng(seed)
    pixels = random.uniform((10, 10), (RIG.width - 10, RIG.height - 10), (points, 2))
    depth = 1 / random.uniform(1 / 40, 1 / 4, points)
    directions = np.stack(
        [(pixels[:, 0] - RIG.cx) / RIG.fx, (pixels[:, 1] - RIG.cy) / RIG.fy, np.ones(points)], 1
    )
    return np.asarray(directions * depth[:, None])


def seen(
    before: NDArray[np.float64], after: NDArray[np.float64], noise_px: float = 0.0
) -> Correspondences:
    """What flow and disparity say of points that were `before` and are `after`."""
    random = np.random.default_rng(1)
    count = len(before)
    return Correspondences(
        RIG.project(before),
        RIG.focal_baseline / before[:, 2] + random.normal(0, noise_px, count),
        RIG.project(after) + random.normal(0, noise_px, (count, 2)),
        RIG.focal_baseline / after[:, 2] + random.normal(0, noise_px, count),
        np.full(count, 0.3),
        0.3,
    )


def differs_by(found: RigidTransform, truth: RigidTransform) -> tuple[float, float]:
    """Distance of the translations, metres, and angle between the rotations, degrees."""
    apart = RigidTransform(found.rotation @ truth.rotation.T, np.zeros(3))
    away = float(np.linalg.norm(found.translation_m - truth.translation_m))
    return away, float(np.degrees(apart.angle_rad))


small = st.floats(-0.03, 0.03)
motions = st.builds(
    lambda *twist: RigidTransform.from_twist(np.array(twist)),
    small,
    small,
    small,
    st.floats(-0.3, 0.3),
    st.floats(-0.1, 0.1),
    st.floats(-2.0, 1.0),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(truth=motions, seed=st.integers(0, 999))
def test_any_small_motion_is_found_exactly_without_noise(truth: RigidTransform, seed: int) -> None:
    points = cloud(seed)
    found = estimate_ego_motion(seen(points, truth.apply(points)), RIG)
    away_m, apart_deg = differs_by(found.transform, truth)
    assert away_m < 1e-4
    assert apart_deg < 1e-3
    assert found.inlier_fraction == 1.0


@pytest.mark.parametrize("speed_m", [0.3, 0.6, 1.5])
@pytest.mark.parametrize("kind", ["mismatches", "one large mover", "several movers"])
def test_two_fifths_that_disagree_change_little(speed_m: float, kind: str) -> None:
    truth = RigidTransform.from_twist(np.array([0.002, 0.01, -0.001, 0.02, 0.0, -speed_m]))
    points, random = cloud(3), np.random.default_rng(4)
    after = truth.apply(points)
    wrong = random.permutation(POINTS)[: POINTS * 2 // 5]
    if kind == "mismatches":
        after[wrong] = cloud(5)[wrong]
    elif kind == "one large mover":
        after[wrong] += (0.6, 0.0, 0.3)
    else:
        after[wrong] += random.choice([(0.8, 0, 0), (-0.5, 0, 0.5), (0, 0, -1.5)], len(wrong))
    found = estimate_ego_motion(seen(points, after, noise_px=0.1), RIG)
    away_m, apart_deg = differs_by(found.transform, truth)
    assert away_m < 0.01 * np.linalg.norm(truth.translation_m)
    assert apart_deg < 0.05
    assert 0.55 < found.inlier_fraction < 0.75


def test_standing_still_is_exact() -> None:
    points = cloud(6)
    data = seen(points, points)
    still = replace(data, target=data.pixels, target_disparity=data.disparity)
    found = estimate_ego_motion(still, RIG)
    assert found.transform.translation_m == pytest.approx(np.zeros(3), abs=1e-12)
    assert found.transform.rotation == pytest.approx(np.eye(3), abs=1e-12)
    assert found.inlier_fraction == 1.0


def test_the_same_input_gives_the_same_answer() -> None:
    points = cloud(7)
    after = DRIVING.apply(points)
    after[::3] += (0.5, 0.0, 0.0)
    data = seen(points, after, noise_px=0.3)
    first, second = (estimate_ego_motion(data, RIG) for _ in range(2))
    assert np.array_equal(first.transform.rotation, second.transform.rotation)
    assert np.array_equal(first.transform.translation_m, second.transform.translation_m)
    assert first.inlier_fraction == second.inlier_fraction


def test_points_that_lost_their_disparity_still_count() -> None:
    points = cloud(8)
    data = seen(points, DRIVING.apply(points))
    lost = data.target_disparity.copy()
    lost[::2] = np.nan
    found = estimate_ego_motion(replace(data, target_disparity=lost), RIG)
    assert differs_by(found.transform, DRIVING)[0] < 1e-3


def test_the_motion_before_leads_where_no_disparity_is_left_at_the_end() -> None:
    points = cloud(9)
    data = seen(points, DRIVING.apply(points))
    blind = replace(data, target_disparity=np.full(POINTS, np.nan))
    found = estimate_ego_motion(blind, RIG, previous=DRIVING)
    assert differs_by(found.transform, DRIVING)[0] < 1e-3


def test_a_wrong_motion_before_does_no_harm() -> None:
    points = cloud(10)
    wrong = RigidTransform.from_twist(np.array([0.0, 0.1, 0.0, 0.0, 0.0, -3.0]))
    data = seen(points, STANDING.apply(points), noise_px=0.1)
    found = estimate_ego_motion(data, RIG, previous=wrong)
    away_m, apart_deg = differs_by(found.transform, STANDING)
    assert away_m < 0.005
    assert apart_deg < 0.05
