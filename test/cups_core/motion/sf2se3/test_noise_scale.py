"""Is the noise found under mismatches, and given back as it was before truncation?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.motion.sf2se3.noise_scale import truncated_noise_scale


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 1.2), st.floats(0.0, 0.5), st.integers(0, 2**31))
def test_the_scale_of_a_normal_noise_is_found_among_mismatches(
    sigma: float, mismatches: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    deviations = random.normal(0, sigma, (20_000, 1))
    wrong = random.random(20_000) < mismatches
    deviations[wrong] = random.uniform(5, 50, (wrong.sum(), 1))
    (found,) = truncated_noise_scale(deviations, 3.0)
    assert found == pytest.approx(sigma, rel=0.08)


def test_each_component_has_its_own_scale() -> None:
    random = np.random.default_rng(0)
    deviations = random.normal(0, 1, (50_000, 2)) * [0.3, 0.6]
    assert truncated_noise_scale(deviations, 10.0) == pytest.approx([0.3, 0.6], rel=0.03)


def test_what_is_nan_does_not_count() -> None:
    deviations = np.random.default_rng(0).normal(0, 0.4, (5000, 1))
    holed = deviations.copy()
    holed[::3] = np.nan
    assert truncated_noise_scale(holed, 3.0) == pytest.approx(
        truncated_noise_scale(deviations, 3.0), rel=0.05
    )


@pytest.mark.parametrize("deviations", [np.zeros((0, 1)), np.full((50, 1), 9.0)])
def test_without_small_deviations_the_scale_is_infinite(deviations: np.ndarray) -> None:
    assert truncated_noise_scale(deviations, 3.0).tolist() == [np.inf]
