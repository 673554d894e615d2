from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from cups_core.errors import InputError
from cups_core.motion.rigid_transform import RigidTransform, fit_rigid_transform

twists = arrays(np.float64, 6, elements=st.floats(-1.5, 1.5))
seeds = st.integers(0, 2**32 - 1)


def points(seed: int, count: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10, (count, 3))


@given(twists)
def test_a_twist_is_the_rotation_vector_that_scipy_knows(twist: np.ndarray) -> None:
    found = RigidTransform.from_twist(twist)
    assert_allclose(found.rotation, Rotation.from_rotvec(twist[:3]).as_matrix(), atol=1e-8)
    assert_allclose(found.translation_m, twist[3:])
    assert found.angle_rad == pytest.approx(np.linalg.norm(twist[:3]), abs=1e-7)


@given(twists, twists, seeds)
def test_composition_applies_the_first_motion_first(
    first: np.ndarray, second: np.ndarray, seed: int
) -> None:
    a, b = RigidTransform.from_twist(first), RigidTransform.from_twist(second)
    assert_allclose(b.after(a).apply(points(seed)), b.apply(a.apply(points(seed))), atol=1e-9)


@given(twists, seeds)
def test_the_inverse_undoes_a_motion(twist: np.ndarray, seed: int) -> None:
    motion = RigidTransform.from_twist(twist)
    assert_allclose(motion.inverse().apply(motion.apply(points(seed))), points(seed), atol=1e-9)


def test_the_identity_moves_nothing() -> None:
    assert_allclose(RigidTransform.identity().apply(points(1)), points(1))
    assert RigidTransform.identity().angle_rad == 0


@given(twists, seeds)
def test_a_fit_finds_the_motion_of_exact_points(twist: np.ndarray, seed: int) -> None:
    motion = RigidTransform.from_twist(twist)
    found = fit_rigid_transform(points(seed), motion.apply(points(seed)))
    assert_allclose(found.rotation, motion.rotation, atol=1e-8)
    assert_allclose(found.translation_m, motion.translation_m, atol=1e-7)


@given(twists, seeds)
def test_a_fit_to_a_plane_is_a_rotation_and_no_reflection(twist: np.ndarray, seed: int) -> None:
    flat = points(seed) * [1, 1, 0]
    motion = RigidTransform.from_twist(twist)
    found = fit_rigid_transform(flat, motion.apply(flat))
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert_allclose(found.apply(flat), motion.apply(flat), atol=1e-7)


@given(seeds)
def test_a_noisy_weighted_fit_agrees_with_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    source = points(seed)
    target = RigidTransform.from_twist(random.normal(0, 0.3, 6)).apply(source)
    target += random.normal(0, 0.1, target.shape)
    weights = random.uniform(0.1, 1, len(source))
    found = fit_rigid_transform(source, target, weights)
    middle_a, middle_b = (np.average(cloud, axis=0, weights=weights) for cloud in (source, target))
    expected, _ = Rotation.align_vectors(target - middle_b, source - middle_a, weights)
    assert_allclose(found.rotation, expected.as_matrix(), atol=1e-7)


def test_points_of_no_weight_do_not_count() -> None:
    source, weights = points(3), np.ones(30)
    target = source + [1.0, 2.0, 3.0]
    target[:5] += 100
    weights[:5] = 0
    found = fit_rigid_transform(source, target, weights)
    assert_allclose(found.translation_m, [1, 2, 3], atol=1e-9)
    assert found.angle_rad == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.ones((2, 3)), np.ones((2, 3))),  # two points leave a rotation free
        (np.ones((5, 3)), np.ones((4, 3))),
        (np.ones((5, 2)), np.ones((5, 2))),
        (np.ones(15), np.ones(15)),
    ],
)
def test_too_few_points_or_unlike_shapes_are_refused(
    source: np.ndarray, target: np.ndarray
) -> None:
    with pytest.raises(InputError, match=r"expected two \(N >= 3, 3\) arrays"):
        fit_rigid_transform(source, target)
