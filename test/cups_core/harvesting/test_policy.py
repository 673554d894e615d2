"""Which frames the policy keeps, drops, and why; that it keeps to its budget and repeats itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.harvesting.observation import Observation
from cups_core.harvesting.policy import Burst, Dropped, DropReason, HarvestPolicy, HarvestSettings
from cups_core.harvesting.scoring import Flaw

RICH = HarvestSettings(budget_gb_per_hour=10_000.0)
PERIOD_NS = 100_000_000


def run(
    policy: HarvestPolicy, drive: Iterable[Observation]
) -> tuple[list[Burst], list[Dropped], int]:
    """Everything the policy says of a drive; each burst costs what its frames weigh."""
    bursts: list[Burst] = []
    dropped: list[Dropped] = []
    sizes, written = {}, 0
    for item in drive:
        sizes[item.stamp_ns] = item.size_bytes
        verdict = policy.observe(item)
        for burst in verdict.bursts:
            size = sum(sizes[stamp] for stamp in burst.stamps_ns)
            policy.charge(size)
            written += size
        bursts += verdict.bursts
        dropped += verdict.dropped
    rest = policy.finish()
    return bursts + list(rest.bursts), dropped + list(rest.dropped), written


def kept(bursts: Iterable[Burst]) -> list[int]:
    return [stamp for burst in bursts for stamp in burst.stamps_ns]


def test_standing_still_is_dropped_but_for_the_first_look(make_observation: Any) -> None:
    bursts, dropped, _ = run(HarvestPolicy(RICH), (make_observation(i) for i in range(100)))
    assert len(bursts) == 1
    assert bursts[0].reasons == ("novelty",)
    assert Counter(item.reason for item in dropped) == {
        DropReason.NOTHING_NEW: 100 - len(bursts[0].stamps_ns) - 1,
        DropReason.NO_NEXT_FRAME: 1,
    }


def test_moving_traffic_before_a_standing_camera_is_kept(
    make_observation: Any, make_car: Any
) -> None:
    drive = [
        make_observation(i, objects=(make_car(7),) if 40 <= i < 50 else ()) for i in range(100)
    ]
    bursts, _, _ = run(HarvestPolicy(RICH), drive)
    stamps = set(kept(bursts))
    assert {drive[i].stamp_ns for i in range(40, 44)} <= stamps
    assert not {drive[i].stamp_ns for i in range(60, 100)} & stamps
    assert any(burst.reasons[0] == "motion" for burst in bursts)


def test_a_burst_brings_its_neighbours_and_none_twice(make_observation: Any, make_car: Any) -> None:
    settings = replace(RICH, frames_before=2, frames_after=3, minimum_score=0.4)
    drive = [make_observation(i, objects=(make_car(1),) if i == 20 else ()) for i in range(40)]
    bursts, _, _ = run(HarvestPolicy(settings), drive)
    (burst,) = bursts
    assert burst.keyframe_ns == drive[20].stamp_ns
    assert burst.stamps_ns == tuple(item.stamp_ns for item in drive[18:24])


def test_the_best_frames_win_over_the_first_ones(make_observation: Any, make_car: Any) -> None:
    # Weak motion all the time, strong motion in the last tenth of each of ten minutes; the budget
    # pays for about a fiftieth.
    def objects(i: int) -> tuple[Any, ...]:
        strong = i % 600 >= 540
        return (make_car(i // 20 + 1, area_share=0.02 if strong else 0.001),)

    settings = HarvestSettings(budget_gb_per_hour=3.6, novelty_weight=0.0, uncertainty_weight=0.0)
    drive = [make_observation(i, objects=objects(i)) for i in range(6000)]
    bursts, _, _ = run(HarvestPolicy(settings), drive)
    later = [burst for burst in bursts if burst.keyframe_ns > drive[1200].stamp_ns]
    strong = [b for b in later if (b.keyframe_ns // PERIOD_NS - 1000) % 600 >= 540]
    assert len(later) > 15
    assert len(strong) / len(later) > 0.8


@pytest.mark.parametrize("gigabytes", [1.0, 5.0, 20.0])
def test_an_hour_of_worthy_frames_spends_the_budget_within_ten_percent(
    gigabytes: float, make_observation: Any, make_car: Any
) -> None:
    rng = np.random.default_rng(3)
    # Nothing but the tracks changes, which keeps an hour cheap.
    settings = HarvestSettings(budget_gb_per_hour=gigabytes, novelty_weight=0.0)
    sizes = rng.uniform(0.0, 0.02, 36_000)
    drive = (
        make_observation(i, objects=(make_car(i // 30 + 1, area_share=size),))
        for i, size in enumerate(sizes)
    )
    _, _, written = run(HarvestPolicy(settings), drive)
    assert written == pytest.approx(gigabytes * 1e9, rel=0.1)


def test_blurred_dark_and_bright_frames_are_no_keyframes(
    make_observation: Any, make_quality: Any
) -> None:
    pictures = {10: {"dark": 0.9}, 20: {"bright": 0.9}, 30: {"sharpness": 0.1}}
    drive = [
        replace(
            make_observation(i, objects=None), quality=make_quality(place=i, **pictures.get(i, {}))
        )
        for i in range(40)
    ]
    policy = HarvestPolicy(replace(RICH, frames_before=0, frames_after=1, minimum_score=0.2))
    bursts, dropped, _ = run(policy, drive)
    keyframes = {burst.keyframe_ns for burst in bursts}
    for index in pictures:
        # The frame before has no good next frame.
        assert not keyframes & {drive[index].stamp_ns, drive[index - 1].stamp_ns}
    reasons = {item.stamp_ns: item.reason for item in dropped}
    assert [reasons[drive[i].stamp_ns] for i in pictures] == [Flaw.DARK, Flaw.BRIGHT, Flaw.BLURRED]


def test_a_spent_budget_is_told(make_observation: Any) -> None:
    policy = HarvestPolicy(HarvestSettings(budget_gb_per_hour=0.01))
    bursts, dropped, _ = run(policy, (make_observation(i, place=i) for i in range(50)))
    assert len(bursts) == 1
    assert {item.reason for item in dropped} == {DropReason.BUDGET, DropReason.NO_NEXT_FRAME}


def test_no_burst_reaches_over_a_gap_and_the_last_frame_before_it_is_no_keyframe(
    make_observation: Any, make_car: Any
) -> None:
    drive = [make_observation(i if i < 10 else i + 20, objects=(make_car(i),)) for i in range(20)]
    bursts, _, _ = run(HarvestPolicy(replace(RICH, frames_before=3)), drive)
    gap_ns = drive[9].stamp_ns
    for burst in bursts:
        assert all((stamp <= gap_ns) == (burst.keyframe_ns <= gap_ns) for stamp in burst.stamps_ns)
        assert burst.keyframe_ns not in (gap_ns, drive[-1].stamp_ns)


def test_a_clock_that_jumps_back_starts_afresh(make_observation: Any, make_car: Any) -> None:
    policy = HarvestPolicy(RICH)
    rounds = [make_observation(i, objects=(make_car(1),)) for i in range(20)] * 2
    bursts, dropped, _ = run(policy, rounds)
    assert len(kept(bursts)) + len(dropped) == len(rounds)
    assert sum(burst.keyframe_ns == rounds[0].stamp_ns for burst in bursts) == 2


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 30, -50, 0]),  # periods to the next frame
        st.integers(0, 3),  # place
        st.integers(0, 3),  # number of cars; 3 = no label
        st.sampled_from([0.6, 0.6, 0.1]),  # sharpness
    ),
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(
    steps=STEPS, before=st.integers(0, 3), after=st.integers(1, 3), budget=st.sampled_from([1, 500])
)
def test_every_frame_is_kept_or_dropped_once_in_order_and_the_same_again(
    steps: list[tuple[int, int, int, float]],
    before: int,
    after: int,
    budget: int,
    make_observation: Any,
    make_quality: Any,
    make_car: Any,
) -> None:
    index, drive = 0, []
    for step, place, cars, sharpness in steps:
        index += step
        objects = None if cars == 3 else tuple(make_car(place + n + 1) for n in range(cars))
        picture = make_quality(place, sharpness=sharpness)
        drive.append(replace(make_observation(index, objects=objects), quality=picture))
    chosen = HarvestSettings(
        frames_before=before, frames_after=after, budget_gb_per_hour=float(budget)
    )
    bursts, dropped, _ = run(HarvestPolicy(chosen), drive)
    told = Counter(kept(bursts)) + Counter(item.stamp_ns for item in dropped)
    assert told == Counter(item.stamp_ns for item in drive)
    for burst in bursts:
        assert list(burst.stamps_ns) == sorted(burst.stamps_ns)
        assert len(burst.stamps_ns) <= before + 1 + after
    assert run(HarvestPolicy(chosen), drive)[:2] == (bursts, dropped)
