"""Does a whole clip label objects also while they halt, and say what it could not judge?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_core.motion.clip import ClipMotion, ClipSettings, FrameMotion
from cups_core.motion.estimators import DisparityEstimator, EstimatorPair, FlowEstimator

from .scenes import DRIVING, INTERVAL_NS, INTERVAL_S, Board, Map, Scene, iou, numbered_frame

START_NS = 1_700_000_000_000_000_000
SETTINGS = ClipSettings(longest_stride=2)
STREET = Scene(step=DRIVING)
MOVER = Board((-2.5, 0.4, 12.0), (2.6, 2.0), (4.0, 0.0, 0.0))
BLACK = 255
ALWAYS = (True,) * 12


@dataclass(frozen=True)
class Timetable:
    """Exact estimators for a board that only moves in some intervals.

    Attributes:
        moves: whether the board goes on from each frame to the next one.
    """

    moves: tuple[bool, ...] = ALWAYS

    def scene(self, frame: int, share: float = 1.0) -> Scene:
        """A scene with the board where it is at `frame`, moving at that share of its speed."""
        went = (sum(self.moves[:frame]) - share * frame) * INTERVAL_S
        speed = np.array(MOVER.velocity_mps)
        centre = tuple(float(value) for value in np.array(MOVER.centre_m) + went * speed)
        slower = tuple(float(value) for value in share * speed)
        return STREET.plus(replace(MOVER, centre_m=centre, velocity_mps=slower))

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Where the board is, whether it moves or not."""
        scene = self.scene(frame)
        return scene.numbers(frame) == len(scene.boards)

    def flow(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8], start: Map | None = None
    ) -> Map:
        """Exact flow between two numbered frames."""
        return exact_flow(self, int(first.flat[0]), int(second.flat[0])).copy()

    def disparities(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[Map, Map]:
        """Exact disparities of a numbered frame; nothing is found in one without content."""
        number = int(left.flat[0])
        if number == BLACK:
            return np.zeros(left.shape[:2], np.float32), np.zeros(left.shape[:2], np.float32)
        left_view, right_view = exact_disparities(self, number)
        return left_view.copy(), right_view.copy()


@lru_cache(maxsize=512)
def exact_flow(timetable: Timetable, here: int, there: int) -> Map:
    went = sum(timetable.moves[min(here, there) : max(here, there)])
    return timetable.scene(here, went / abs(there - here)).flow(here, there)


@lru_cache(maxsize=512)
def exact_disparities(timetable: Timetable, number: int) -> tuple[Map, Map]:
    return timetable.scene(number).disparities(number)


def frame_at(number: int, shown: int | None = None) -> StereoFrame:
    return numbered_frame(number if shown is None else shown, START_NS + number * INTERVAL_NS)


def label(
    timetable: Timetable,
    frames: Iterable[StereoFrame] | None = None,
    settings: ClipSettings = SETTINGS,
    flow: FlowEstimator | None = None,
    disparity: DisparityEstimator | None = None,
) -> list[FrameMotion]:
    motion = ClipMotion(settings, matcher=EstimatorPair(flow or timetable, disparity or timetable))
    return motion.label(frames or [frame_at(number) for number in range(len(timetable.moves))])


def ids(result: FrameMotion) -> list[int]:
    return [item.id for item in result.segments.objects]


def test_a_mover_has_one_id_in_all_frames_also_the_first() -> None:
    timetable = Timetable((True,) * 10)
    for number, result in enumerate(label(timetable)):
        assert result.stamp_ns == START_NS + number * INTERVAL_NS
        assert result.note == ""
        assert ids(result) == [1]
        assert iou(result.segments.instances == 1, timetable.mask(number)) > 0.8


def test_the_past_alone_shows_a_mover_in_all_frames_also_the_first() -> None:
    timetable = Timetable((True,) * 8)
    results = label(timetable, settings=dataclasses.replace(SETTINGS, both_directions=False))
    for number, result in enumerate(results):
        assert ids(result) == [1]
        assert iou(result.segments.instances == 1, timetable.mask(number)) > 0.8


def test_an_object_that_halts_keeps_its_mask_and_id() -> None:
    timetable = Timetable((True,) * 6 + (False,) * 6)
    results = label(timetable)
    assert [ids(result) for result in results] == [[1]] * 12
    assert all(
        iou(result.segments.instances == 1, timetable.mask(number)) > 0.7
        for number, result in enumerate(results)
    )
    assert np.isnan(results[-1].segments.objects[0].velocity_mps).all()


def test_an_object_that_starts_late_has_its_mask_before() -> None:
    timetable = Timetable((False,) * 5 + (True,) * 7)
    results = label(timetable)
    assert [ids(result) for result in results] == [[1]] * 12
    assert iou(results[0].segments.instances == 1, timetable.mask(0)) > 0.7


def test_a_halt_between_two_moves_is_bridged() -> None:
    timetable = Timetable((True,) * 5 + (False,) * 4 + (True,) * 5)
    results = label(timetable)
    assert [ids(result) for result in results] == [[1]] * 14


def test_a_halt_is_bridged_no_longer_than_asked() -> None:
    timetable = Timetable((True,) * 6 + (False,) * 6)
    results = label(timetable, settings=replace(SETTINGS, longest_halt_s=0.25))
    assert ids(results[6]) == [1]
    assert ids(results[-1]) == []


def test_without_propagation_a_halting_object_is_not_shown() -> None:
    timetable = Timetable((True,) * 6 + (False,) * 6)
    results = label(timetable, settings=replace(SETTINGS, propagate=False))
    assert ids(results[3]) == [1]
    assert ids(results[-1]) == []


def test_a_static_scene_gives_nothing() -> None:
    results = label(Timetable((False,) * 8))
    assert [ids(result) for result in results] == [[]] * 8
    assert [result.note for result in results] == [""] * 8
    assert all(np.isnan(result.consistency) for result in results)
    assert all(result.valid_fraction > 0.5 for result in results)


def test_the_same_clip_gives_the_same_result() -> None:
    first, second = (label(Timetable((True,) * 8)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.segments.instances, other.segments.instances)
        assert np.array_equal(one.disparity, other.disparity)


def test_ego_motion_takes_the_frame_before_into_this_one() -> None:
    results = label(Timetable((True,) * 6))
    assert np.array_equal(results[0].ego_motion.rotation, np.eye(3))
    assert results[4].ego_motion.translation_m == pytest.approx(DRIVING.translation_m, abs=0.005)


def test_no_track_goes_across_a_gap() -> None:
    frames = [frame_at(number) for number in (*range(5), *range(8, 12))]
    results = label(Timetable(), frames, replace(SETTINGS, maximum_gap_s=0.25))
    assert [ids(result) for result in results] == [[1]] * 5 + [[2]] * 4
    assert np.array_equal(results[5].ego_motion.rotation, np.eye(3))


def test_a_lonely_frame_says_that_it_has_no_neighbour() -> None:
    (result,) = label(Timetable(), [frame_at(0)])
    assert result.note == "no other frame near enough in time to compare with"
    assert ids(result) == []


def test_a_black_frame_is_noted_and_spares_its_neighbours() -> None:
    timetable = Timetable()
    frames = [frame_at(n, BLACK if n == 5 else None) for n in range(12)]
    results = label(timetable, frames)
    assert "stereo finds a disparity in 0.0 % of the pixels" in results[5].note
    assert ids(results[5]) == []
    assert [ids(result) for n, result in enumerate(results) if n != 5] == [[1]] * 11


class HalfBlind(Timetable):
    """An estimator whose answers hold NaN in a corner of the image."""

    def flow(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8], start: Map | None = None
    ) -> Map:
        """Exact flow, NaN in the upper left."""
        found = super().flow(first, second)
        found[:40, :60] = np.nan
        return found

    def disparities(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[Map, Map]:
        """Exact disparities, NaN in the upper left."""
        seen = super().disparities(left, right)
        for found in seen:
            found[:40, :60] = np.nan
        return seen


def test_values_that_are_no_number_count_as_unknown() -> None:
    timetable = HalfBlind()
    results = label(timetable)
    assert [ids(result) for result in results] == [[1]] * 12
    assert all(np.isfinite(result.disparity).all() for result in results)
    assert not results[3].disparity[:40, :60].any()
