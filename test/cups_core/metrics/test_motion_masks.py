from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.metrics.motion_masks import MaskCounts, MotionTruth, count_masks, total

SHAPE = (60, 80)
Box = tuple[int, int, int, int]


def painted(*boxes: tuple[int, Box], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A map with an id in each (left, top, width, height)."""
    found = np.zeros(shape, np.uint16)
    for identity, (left, top, width, height) in boxes:
        found[top : top + height, left : left + width] = identity
    return found


def truth(*movers: tuple[int, Box], static: tuple[int, Box] | None = None) -> MotionTruth:
    things = painted(static) if static else painted()
    return MotionTruth(painted(*movers), things, np.full(SHAPE, 10.0), 200.0)


def test_a_perfect_answer_scores_one() -> None:
    movers = ((1, (5, 5, 20, 10)), (2, (40, 30, 20, 20)))
    # The ids of a prediction need not be those of the truth.
    found = count_masks(painted((9, movers[0][1]), (4, movers[1][1])), truth(*movers))
    assert (found.precision, found.recall, found.near_recall) == (1, 1, 1)
    assert (found.foreground_iou, found.mean_best_iou) == (1, 1)


def test_nothing_found_scores_zero_and_an_empty_scene_has_no_foreground_iou() -> None:
    missed = count_masks(painted(), truth((1, (5, 5, 20, 10))))
    assert (missed.precision, missed.recall, missed.foreground_iou) == (0, 0, 0)
    empty = count_masks(painted(), truth())
    assert empty == MaskCounts()
    assert np.isnan(empty.foreground_iou)


@pytest.mark.parametrize(
    ("width", "matches"),
    [
        (10, 0),  # half of the mover: IoU 0.5 is not above 0.5
        (11, 1),
        (20, 1),
        (39, 1),  # 200 of 390 pixels
        (40, 0),  # twice the mover: IoU 0.5
    ],
)
def test_a_mask_matches_above_half_overlap(width: int, matches: int) -> None:
    found = count_masks(painted((1, (5, 5, width, 10))), truth((1, (5, 5, 20, 10))))
    assert (found.matched_masks, found.found_movers) == (matches, matches)
    assert found.fragments == 1 - matches


def test_a_mover_in_two_halves_is_two_fragments() -> None:
    halves = painted((1, (5, 5, 10, 10)), (2, (15, 5, 10, 10)))
    found = count_masks(halves, truth((7, (5, 5, 20, 10))))
    assert (found.masks, found.matched_masks, found.fragments) == (2, 0, 2)
    assert found.foreground_iou == 1
    assert found.best_iou_sum == pytest.approx(0.5)


def test_a_mask_on_a_parked_car_is_an_error_of_its_own_kind() -> None:
    found = count_masks(painted((1, (5, 5, 20, 10))), truth(static=(3, (5, 5, 11, 10))))
    assert (found.on_static, found.on_background, found.fragments) == (1, 0, 0)
    # Half of it is not more than half.
    found = count_masks(painted((1, (5, 5, 20, 10))), truth(static=(3, (5, 5, 10, 10))))
    assert (found.on_static, found.on_background, found.fragments) == (0, 1, 0)


def test_a_mover_below_128_pixels_counts_neither_for_nor_against() -> None:
    small = (1, (5, 5, 12, 10))
    # A mask on it is dropped, a mask beside it is not.
    answer = painted((1, (5, 5, 12, 10)), (2, (40, 30, 20, 20)))
    found = count_masks(answer, truth(small, (2, (40, 30, 20, 20))))
    assert (found.masks, found.movers, found.matched_masks) == (1, 1, 1)
    assert found.foreground_iou == 1
    # One that lies only half in it stays, and its pixels there do not count.
    found = count_masks(painted((1, (5, 5, 24, 10))), truth(small))
    assert (found.masks, found.foreground_union, found.foreground_intersection) == (1, 120, 0)


def test_far_movers_do_not_count_as_near() -> None:
    movers = painted((1, (5, 5, 20, 10)), (2, (40, 30, 20, 20)), (3, (5, 40, 20, 10)))
    disparity = np.where(movers == 1, 4.9, 5.0)
    # Nobody knows how far the third is.
    disparity[movers == 3] = 0
    scene = MotionTruth(movers, painted(), disparity, 200.0)
    found = count_masks(movers, scene)
    assert (found.movers, found.near_movers, found.found_near_movers) == (3, 1, 1)


def test_the_recall_of_static_things_and_of_all_things_is_asked_apart() -> None:
    # A mover that is found, a parked car that is found, and one that is not.
    boxes = {1: (5, 5, 20, 10), 2: (40, 5, 20, 10), 3: (40, 30, 20, 10)}
    parked = painted((2, boxes[2]), (3, boxes[3]))
    scene = MotionTruth(painted((1, boxes[1])), parked, np.full(SHAPE, 10.0), 200.0)
    answer = painted((8, boxes[1]), (9, boxes[2]))
    assert count_masks(answer, scene).recall == 1
    static = count_masks(answer, scene.static_as_movers)
    assert (static.movers, static.found_movers, static.near_recall) == (2, 1, 0.5)
    everything = count_masks(answer, scene.things_as_movers)
    assert (everything.precision, everything.movers, everything.found_movers) == (1, 3, 2)


def test_a_total_is_the_ratio_of_the_sums() -> None:
    parts = [MaskCounts(masks=1, matched_masks=1), MaskCounts(masks=3, matched_masks=0)]
    assert total(parts).precision == 0.25
    assert total([]) == MaskCounts()


def test_maps_of_different_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="one size"):
        count_masks(np.zeros((5, 5), np.uint16), truth())


@pytest.fixture(scope="module")
def judge(shared: Path) -> ModuleType:
    """The scorer of the motion benchmark, written by somebody else."""
    path = shared / "benchmarks/motion/score.py"
    specification = importlib.util.spec_from_file_location("score", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


boxes = st.tuples(st.integers(0, 70), st.integers(0, 50), st.integers(1, 40), st.integers(1, 30))
maps = st.lists(st.tuples(st.integers(1, 9), boxes), max_size=6)


@settings(max_examples=200, deadline=None)
@given(predicted=maps, movers=maps, static=maps, seed=st.integers(0, 999))
def test_the_benchmark_s_own_judge_counts_the_same(
    judge: ModuleType, predicted: list, movers: list, static: list, seed: int
) -> None:
    # Steps between far and near, and holes without a value.
    disparity = np.random.default_rng(seed).choice([0.0, 4.0, 5.5], SHAPE)
    scene = MotionTruth(painted(*movers), painted(*static), disparity, 200.0)
    found = count_masks(painted(*predicted), scene)
    expected = judge.score(
        painted(*predicted), scene.movers, scene.static_things, disparity, scene.focal_baseline
    )
    assert {
        "masks": found.masks,
        "tp": found.matched_masks,
        "gt": found.movers,
        "found": found.found_movers,
        "gt40": found.near_movers,
        "found40": found.found_near_movers,
        "fg_inter": found.foreground_intersection,
        "fg_union": found.foreground_union,
        "false_static": found.on_static,
        "false_background": found.on_background,
        "fragments": found.fragments,
    } == {name: expected[name] for name in expected if name not in ("fg_iou", "best_iou")}
    best = sum(item["iou"] for item in expected["best_iou"].values())
    assert found.best_iou_sum == pytest.approx(best, abs=0.01)
