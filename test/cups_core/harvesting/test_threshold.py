"""The threshold lets the best share of the recent frames through."""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.harvesting.threshold import AdaptiveThreshold, ThresholdSettings

SECOND = 1_000_000_000
SETTINGS = ThresholdSettings(minimum_score=0.1, window_s=10.0)


def filled(scores: np.ndarray, period_s: float = 0.1) -> AdaptiveThreshold:
    found = AdaptiveThreshold(SETTINGS)
    for index, score in enumerate(scores):
        found.add(int(index * period_s * SECOND), float(score))
    return found


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_that_share_of_the_scores_reaches_it(share: float) -> None:
    scores = np.random.default_rng(0).uniform(0.2, 1.0, 100)
    assert np.mean(scores >= filled(scores).value(share)) == pytest.approx(share, abs=0.011)


def test_it_never_falls_below_the_minimum() -> None:
    assert filled(np.zeros(50)).value(0.2) == SETTINGS.minimum_score
    assert filled(np.ones(50)).value(1.5) == SETTINGS.minimum_score
    assert AdaptiveThreshold(SETTINGS).value(0.0) == SETTINGS.minimum_score


def test_scores_older_than_the_window_are_forgotten() -> None:
    found = filled(np.concatenate([np.ones(50), np.full(101, 0.3)]))
    assert found.value(0.5) == pytest.approx(0.3)
    assert found.rate_hz() == pytest.approx(10.0)


def test_a_clock_that_starts_again_starts_the_competition_again() -> None:
    found = filled(np.ones(50))
    found.clear()
    assert found.rate_hz() == 0.0
    assert found.value(0.1) == SETTINGS.minimum_score
