"""Percent of a build: nested phases count as parts of the step around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.runtime.tensorrt_progress import BuildProgress


def recorded() -> tuple[BuildProgress, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = []
    return BuildProgress(lambda phase, percent: told.append((phase, percent))), told


def test_an_inner_phase_is_a_part_of_one_outer_step() -> None:
    progress, told = recorded()
    progress.start("build", None, 4)
    progress.step("build", 0)
    progress.start("tactics", "build", 10)
    progress.step("tactics", 4)
    progress.finish("tactics")
    assert told == [
        ("build", 0),
        ("build", 25),
        ("tactics", 25),
        ("tactics", pytest.approx(37.5)),
        ("tactics", 50),
    ]


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.lists(st.integers(0, 9), max_size=40),
)
def test_percent_stays_between_0_and_100(depths: list[int], moves: list[int]) -> None:
    progress, told = recorded()
    for depth, steps in enumerate(depths):
        progress.start(str(depth), str(depth - 1) if depth else None, steps)
    for move in moves:
        progress.step(str(move % len(depths)), move)
    for depth in reversed(range(len(depths))):
        progress.finish(str(depth))
    assert all(0 <= percent <= 100 for _, percent in told)
    assert told[-1] == ("0", 100)
