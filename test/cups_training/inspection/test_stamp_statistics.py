"""What is said of stamps is what was done to them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.stereo_pairing import Side
from cups_training.inspection.pair_statistics import PairStatistics, pair_statistics
from cups_training.inspection.stamp_statistics import Gap, StampStatistics, stamp_statistics

PERIOD_NS = 33_333_333
START_NS = 1_700_000_000_000_000_000


def regular(count: int) -> list[int]:
    return [START_NS + number * PERIOD_NS for number in range(count)]


def statistics(stamps: list[int], lag_ns: int = 0) -> StampStatistics:
    return stamp_statistics(stamps, [stamp + lag_ns for stamp in stamps])


def test_a_steady_topic_has_a_rate_and_no_faults() -> None:
    found = statistics(regular(31), lag_ns=7_000_000)
    assert found.rate_hz == pytest.approx(30.0, abs=1e-3)
    assert (found.count, found.gap_count, found.missing) == (31, 0, 0)
    assert (found.repeated, found.out_of_order, found.clock_jumps, found.zero) == (0, 0, 0, 0)
    assert (found.lag_ns, found.lag_p95_ns) == (7_000_000, 7_000_000)
    assert (found.first_ns, found.last_ns) == (regular(31)[0], regular(31)[-1])


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_messages_have_no_rate(count: int) -> None:
    found = statistics(regular(count))
    assert (found.count, found.rate_hz, found.gaps) == (count, 0.0, ())


@given(st.sets(st.integers(1, 298), max_size=60))
def test_messages_that_are_missing_are_counted(lost: set[int]) -> None:
    whole = regular(300)
    found = statistics([stamp for number, stamp in enumerate(whole) if number not in lost])
    assert found.missing == len(lost)
    stretches = sum(number - 1 not in lost for number in lost)
    assert found.gap_count == stretches
    assert len(found.gaps) == min(20, stretches)
    assert list(found.gaps) == sorted(found.gaps)
    for gap in found.gaps:
        assert whole.index(gap.after_ns + gap.length_ns) - 1 in lost


@given(st.integers(0, 2**32), st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_repeated_late_and_unstamped_messages_are_counted(
    seed: int, repeated: int, late: int, zero: int
) -> None:
    chance = random.Random(seed)
    stamps = regular(100)
    # Places far enough apart that none disturbs another one.
    places = chance.sample(range(5, 95, 3), repeated + late + zero)
    insertions = {}
    for number, place in enumerate(places):
        kind = 0 if number < repeated else 1 if number < repeated + late else 2
        insertions[place] = (stamps[place], stamps[place] - PERIOD_NS // 2, 0)[kind]
    for place in sorted(insertions, reverse=True):
        stamps.insert(place + 1, insertions[place])
    found = statistics(stamps)
    assert (found.repeated, found.out_of_order, found.zero) == (repeated, late, zero)
    assert (found.count, found.gap_count, found.clock_jumps) == (len(stamps), 0, 0)
    assert found.period_ns == PERIOD_NS


def test_a_clock_that_is_set_back_makes_no_gap() -> None:
    stamps = regular(60)
    found = statistics(stamps[:40] + stamps[10:])
    assert (found.clock_jumps, found.gap_count, found.out_of_order) == (1, 0, 0)


def test_the_longest_gaps_are_told_in_the_order_of_time() -> None:
    stamps = regular(100)
    del stamps[70:80], stamps[20:22]
    assert statistics(stamps).gaps == (
        Gap(regular(100)[19], 3 * PERIOD_NS),
        Gap(regular(100)[69], 11 * PERIOD_NS),
    )


def pairs(left: list[int], right: list[int]) -> PairStatistics:
    arrivals = [(Side.LEFT, stamp) for stamp in left] + [(Side.RIGHT, stamp) for stamp in right]
    return pair_statistics(sorted(arrivals, key=lambda item: item[1]))


@given(
    st.sets(st.integers(0, 99), max_size=40),
    st.sets(st.integers(0, 99), max_size=40),
    st.integers(-10_000_000, 10_000_000),
)
def test_what_belongs_together_is_paired_with_the_recommended_tolerance(
    lost_left: set[int], lost_right: set[int], offset_ns: int
) -> None:
    stamps = regular(100)
    left = [stamp for number, stamp in enumerate(stamps) if number not in lost_left]
    right = [stamp + offset_ns for number, stamp in enumerate(stamps) if number not in lost_right]
    both = set(range(100)) - lost_left - lost_right
    found = pairs(left, right)
    assert (found.left, found.right) == (len(left), len(right))
    assert found.pairs == len(both)
    assert found.tolerance_ms is not None
    assert abs(offset_ns) / 1e6 <= found.tolerance_ms < PERIOD_NS / 2e6
    assert sum(found.histogram) == min(len(left), len(right))
    if not offset_ns:
        assert found.tolerance_ms == 0.0
        assert found.exact_share == len(both) / min(len(left), len(right))
    if len(both) > 0.6 * min(len(left), len(right)):
        assert found.median_ms == pytest.approx(abs(offset_ns) / 1e6)
        assert found.offset_ms == pytest.approx(offset_ns / 1e6)


def test_cameras_that_fire_in_turn_have_no_partner() -> None:
    left = [START_NS + number * 100_000_000 for number in range(50)]
    found = pairs(left, [stamp + 50_000_000 for stamp in left])
    assert found.tolerance_ms is None
    assert found.pairs == 0


def test_jitter_is_covered_by_the_tolerance_and_shown_in_the_histogram() -> None:
    jitter = np.random.default_rng(0).normal(0, 500_000, 300).astype(int)
    left = regular(300)
    found = pairs(left, [stamp + int(shift) for stamp, shift in zip(left, jitter, strict=True)])
    assert found.tolerance_ms == 2.0
    assert found.pairs >= 298
    assert found.histogram[3] > found.histogram[4] > found.histogram[5]
    assert found.p95_ms == pytest.approx(0.98, abs=0.15)
