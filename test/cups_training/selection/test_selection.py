"""Which pairs of a drive are kept, and the reasons of the others."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.frame_quality import FrameQuality, measure
from cups_training.selection.pairs import MeasuredFrame, PairDecision, select
from cups_training.selection.settings import SelectionSettings
from cups_training.selection.timing import clip_numbers, usual_interval_ns

Gray = NDArray[np.uint8]
STEP_NS = 100_000_000
USUAL = SelectionSettings()
RANDOM = np.random.default_rng(0)
STREET = cv2.resize(
    RANDOM.integers(30, 220, (24, 256)).astype(np.uint8), (2560, 240), interpolation=cv2.INTER_AREA
)


def standing(index: int) -> Gray:
    return STREET[:, :640]


def driving(index: int) -> Gray:
    return STREET[:, 12 * index : 12 * index + 640]


def with_noise(picture: Gray, index: int) -> Gray:
    noise = np.random.default_rng(index).normal(0, 3, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def film(
    scene: Callable[[int], Gray], count: int, stamps: list[int] | None = None
) -> list[MeasuredFrame]:
    return [
        MeasuredFrame(
            stamps[index] if stamps else index * STEP_NS, measure(with_noise(scene(index), index))
        )
        for index in range(count)
    ]


def kinds(decisions: list[PairDecision]) -> list[str]:
    return ["/".join(reason.partition(":")[0] for reason in item.reasons) for item in decisions]


def test_all_of_a_moving_drive_is_kept() -> None:
    assert all(decision.kept for decision in select(film(driving, 40), USUAL))


def test_of_a_stand_the_first_pair_is_kept_and_then_one_per_interval() -> None:
    changed = SelectionSettings(standing_interval_s=2)
    decisions = select(film(standing, 61), changed)
    assert [i for i, decision in enumerate(decisions) if decision.kept] == [0, 20, 40]
    assert set(kinds(decisions)) == {"", "standing"}


def crossing_car(index: int) -> Gray:
    picture = standing(index).copy()
    picture[120:180, 30 * index : 30 * index + 110] = 235
    return picture


def distant_walker(index: int) -> Gray:
    picture = cv2.resize(standing(index), (1280, 480))
    picture[300:334, 600 + 3 * index : 612 + 3 * index] = 10
    return picture


def test_traffic_in_front_of_a_parked_vehicle_is_no_duplicate() -> None:
    assert all(decision.kept for decision in select(film(crossing_car, 18), USUAL))


def test_even_a_distant_walker_is_none() -> None:
    kept = [decision.kept for decision in select(film(distant_walker, 50), USUAL)]
    assert sum(kept) > 0.9 * len(kept)


def flickering(index: int) -> Gray:
    return np.asarray(cv2.convertScaleAbs(standing(index), alpha=1 + 0.1 * np.sin(1.3 * index)))


def wiped(index: int) -> Gray:
    picture = standing(index).copy()
    if index % 12 < 5:
        cv2.line(picture, (40 + 120 * (index % 12), 240), (140 * (index % 12), 0), 20, 30)
    return picture


def with_drops(index: int) -> Gray:
    picture = standing(index).copy()
    for drop in range(index // 20):
        cv2.circle(picture, (97 * drop + 60, 31 * drop + 50), 12, 150, -1)
    return picture


@pytest.mark.parametrize("scene", [flickering, wiped, with_drops])
def test_light_wipers_and_rain_drops_are_no_motion(scene: Callable[[int], Gray]) -> None:
    assert kinds(select(film(scene, 70), USUAL)).count("standing") >= 60


def test_a_vehicle_that_stops_and_goes_on_is_kept_where_it_moves() -> None:
    def scene(index: int) -> Gray:
        return driving(min(index, 20) + max(0, index - 80))

    found = kinds(select(film(scene, 100), USUAL))
    assert "standing" not in found[:20] + found[80:]
    assert found[27:73].count("standing") >= 45


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda picture: cv2.blur(picture, (19, 1)), "blurred"),
        (lambda picture: cv2.GaussianBlur(picture, (0, 0), 5), "blurred"),
        (lambda picture: picture // 40, "too dark"),
        (lambda picture: cv2.convertScaleAbs(picture, alpha=9), "too bright"),
    ],
)
def test_a_spoilt_frame_takes_both_of_its_pairs_along(
    spoil: Callable[[Gray], Gray], kind: str
) -> None:
    def scene(index: int) -> Gray:
        return np.asarray(spoil(driving(index)) if index == 10 else driving(index), np.uint8)

    frames = [MeasuredFrame(i * STEP_NS, measure(scene(i))) for i in range(20)]
    found = kinds(select(frames, USUAL))
    assert found[9:11] == [kind, kind]
    assert set(found[:9] + found[11:]) == {""}


def quality(sharpness: float, seed: int = 0) -> FrameQuality:
    cells = np.random.default_rng(seed).integers(20, 230, (18, 32)).astype(np.uint8)
    return FrameQuality(sharpness, 0.4, 0.0, 0.0, cells.tobytes())


def test_blur_is_also_what_is_less_sharp_than_its_neighbours() -> None:
    frames = [
        MeasuredFrame(i * STEP_NS, quality(0.35 if i == 6 else 0.6, seed=i)) for i in range(12)
    ]
    assert [i for i, found in enumerate(kinds(select(frames, USUAL))) if found] == [5, 6]
    softer = [MeasuredFrame(i * STEP_NS, quality(0.35, seed=i)) for i in range(12)]
    assert not any(kinds(select(softer, USUAL)))


def test_a_picture_that_comes_twice_is_no_motion_and_neither_is_the_jump_after_it() -> None:
    frames = [MeasuredFrame(i * STEP_NS, quality(0.6, seed=4 if i == 5 else i)) for i in range(12)]
    found = kinds(select(frames, USUAL))
    assert [i for i, kind in enumerate(found) if kind == "repeated"] == [4, 5]


def test_gaps_and_odd_intervals_are_told_apart() -> None:
    stamps = [0, 100, 200, 500, 600, 605, 700, 800, 900]
    frames = film(driving, 9, [stamp * 1_000_000 for stamp in stamps])
    assert kinds(select(frames, USUAL)) == ["", "", "gap", "", "interval", "", "", ""]
    slow = film(driving, 4, [0, 10**9, 2 * 10**9, 3 * 10**9])
    assert kinds(select(slow, USUAL)) == ["interval"] * 3


def test_keyframes_keep_their_distance_where_it_is_asked_for() -> None:
    decisions = select(film(driving, 30), SelectionSettings(keyframe_interval_s=0.5))
    assert [i for i, decision in enumerate(decisions) if decision.kept] == [0, 5, 10, 15, 20, 25]


def test_frames_that_were_not_measured_are_judged_by_time_alone() -> None:
    frames = [MeasuredFrame(stamp * STEP_NS, None) for stamp in (0, 1, 2, 4, 5)]
    assert kinds(select(frames, USUAL)) == ["", "", "gap", ""]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_shortest_drives_have_their_pairs(count: int) -> None:
    assert len(select(film(driving, count), USUAL)) == max(0, count - 1)


def test_a_row_says_which_frames_and_why() -> None:
    row = select([MeasuredFrame(0, None), MeasuredFrame(2 * 10**9, None)], USUAL)[0].row()
    assert row == {
        "first_ns": 0,
        "second_ns": 2 * 10**9,
        "dt_ns": 2 * 10**9,
        "kept": False,
        "reasons": ["interval: 2.000 s between the frames"],
    }


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=2, max_size=40), st.data())
def test_every_pair_is_decided_once_and_in_order(steps: list[int], data: st.DataObject) -> None:
    stamps = np.cumsum(steps) * 1_000_000
    sharpness = data.draw(st.lists(st.floats(0, 1), min_size=len(steps), max_size=len(steps)))
    frames = [
        MeasuredFrame(int(stamp), quality(value, seed=index // 3))
        for index, (stamp, value) in enumerate(zip(stamps, sharpness, strict=True))
    ]
    decisions = select(frames, USUAL)
    assert [(d.first_ns, d.second_ns) for d in decisions] == [
        (int(a), int(b)) for a, b in zip(stamps, stamps[1:], strict=False)
    ]
    assert all(decision.kept == (not decision.reasons) for decision in decisions)
    assert decisions == select(frames, USUAL)


def test_clips_are_counted_anew_after_each_gap() -> None:
    stamps = [0, 10, 20, 34, 50, 60, 90]
    assert usual_interval_ns(stamps) == 14
    assert clip_numbers([0, 10, 20, 34, 50, 60, 70, 80], 1.5) == [0, 0, 0, 0, 1, 1, 1, 1]
