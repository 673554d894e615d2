"""The token bucket: what it pays for over any stretch of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.harvesting.budget import Budget, BudgetSettings

# 3.6 GB per hour are 1 MB per second.
SETTINGS = BudgetSettings(budget_gb_per_hour=3.6, savings_s=60.0)
MB = 1_000_000


def test_time_fills_it_and_bytes_empty_it() -> None:
    budget = Budget(SETTINGS)
    assert budget.available == 0
    budget.pass_time(5.0)
    budget.charge(3 * MB)
    assert budget.available == pytest.approx(2 * MB)
    assert budget.fill == pytest.approx(2 / 5)
    budget.pass_time(195.0)
    budget.charge(30 * MB)
    assert budget.fill == pytest.approx(30 / 60)


def test_savings_end_at_the_capacity() -> None:
    budget = Budget(SETTINGS)
    budget.pass_time(3600.0)
    assert budget.available == pytest.approx(60 * MB)
    assert budget.fill == 1.0


@given(
    st.lists(st.tuples(st.floats(0.01, 30.0), st.integers(0, 40 * MB)), min_size=1, max_size=200)
)
def test_whoever_spends_only_what_is_available_overdraws_by_one_burst_at_most(
    steps: list[tuple[float, int]],
) -> None:
    budget = Budget(SETTINGS)
    passed_s, spent, largest = 0.0, 0, 0
    for seconds, size in steps:
        passed_s += seconds
        budget.pass_time(seconds)
        if budget.available > 0:
            budget.charge(size)
            spent += size
            largest = max(largest, size)
        assert spent <= budget.rate * passed_s + largest + 1
