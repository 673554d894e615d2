from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cups_core.metrics.panoptic_quality import PanopticScores, panoptic_scores
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect

ROAD, CAR = 0, 1
VOID = 255
IS_THING = np.array([False, True])


def table(
    predicted: np.ndarray, instances: np.ndarray, true: np.ndarray, true_instances: np.ndarray
) -> SegmentIntersections:
    return intersect(
        predicted_class=predicted.astype(np.uint8),
        predicted_instance=instances.astype(np.uint16),
        truth_class=true.astype(np.uint8),
        truth_instance=true_instances.astype(np.uint16),
    )


def scores(*images: tuple[np.ndarray, ...]) -> PanopticScores:
    return panoptic_scores([table(*image) for image in images], np.arange(2), IS_THING)


def street() -> tuple[np.ndarray, np.ndarray]:
    """10 x 20: road with two cars of 40 pixels each."""
    classes, instances = np.zeros((10, 20), int), np.zeros((10, 20), int)
    classes[2:6, :10] = classes[2:6, 10:] = CAR
    instances[2:6, :10], instances[2:6, 10:] = 1, 2
    return classes, instances


def test_a_perfect_prediction_has_quality_one_by_both_rules() -> None:
    true, ids = street()
    found = scores((true, ids * 7, true, ids))
    for rule in (found.official, found.reference):
        assert (rule.all.pq, rule.things.pq, rule.stuff.pq) == (1, 1, 1)
        assert (rule.all.sq, rule.all.rq, rule.all.classes) == (1, 1, 2)
    assert found.void_fraction == 0


def test_the_reference_forgives_an_object_that_is_voided_and_the_official_rule_does_not() -> None:
    true, ids = street()
    predicted = np.where(ids == 2, VOID, true)
    found = scores((predicted, ids, true, ids))
    assert found.reference.all.pq == 1
    # By hand: one car found, one missed: 1 / (1 + 0.5).
    assert found.official.things.pq == pytest.approx(2 / 3)
    assert found.official.stuff.pq == 1
    assert found.void_fraction == 40 / 200


def test_an_object_called_stuff_is_missed_by_both_rules() -> None:
    true, ids = street()
    found = scores((np.where(ids == 2, ROAD, true), ids, true, ids))
    for rule in (found.official, found.reference):
        assert rule.things.pq == pytest.approx(2 / 3)
        assert rule.stuff.pq == pytest.approx(120 / 160)


def test_a_fifth_of_an_object_is_enough_for_the_reference_only() -> None:
    true, ids = street()
    predicted = np.where(ids == 2, VOID, true)
    predicted[2:6, 10:12] = CAR  # 8 of the second car's 40 pixels
    found = scores((predicted, ids, true, ids))
    assert found.reference.things.pq == 1
    # Found 1; the stump is an invention, the car behind it missed.
    assert found.official.things.pq == pytest.approx(1 / 2)


@pytest.mark.parametrize(("width", "matched"), [(10, 1), (5, 0), (6, 1)])
def test_an_iou_of_exactly_one_half_is_no_match(width: int, matched: int) -> None:
    true, ids = street()
    predicted, found_ids = np.zeros_like(true), np.zeros_like(ids)
    predicted[2:6, :width], found_ids[2:6, :width] = CAR, 3
    counts = scores((predicted, found_ids, true, ids)).official.counts
    assert counts.matched[CAR] == matched
    assert counts.invented[CAR] == 1 - matched
    assert counts.missed[CAR] == 2 - matched


def test_a_crowd_is_neither_missed_nor_can_it_be_matched_and_excuses_what_lies_in_it() -> None:
    true, ids = street()
    crowd = np.where(ids == 2, 0, ids)
    answered = scores((true, ids, true, crowd))
    silent = scores((np.where(ids == 2, ROAD, true), ids, true, crowd))
    for found in (answered, silent):
        assert found.official.things.pq == 1
    # Another class in the crowd is not excused; the reference takes it for one more object.
    assert silent.official.stuff.pq == pytest.approx(120 / 160)
    assert answered.reference.counts.matched[CAR] == 2
    assert silent.reference.counts.missed[CAR] == 1


def test_a_prediction_on_unlabelled_ground_is_excused_above_half() -> None:
    true, ids = street()
    for void_rows, invented in ((2, 1), (3, 0)):
        unlabelled = np.where(ids == 2, ROAD, true)
        unlabelled[2 : 2 + void_rows, 10:] = VOID
        counts = scores((true, ids, unlabelled, np.where(ids == 2, 0, ids))).official.counts
        assert counts.invented[CAR] == invented


def test_images_are_pooled_before_the_ratio() -> None:
    true, ids = street()
    perfect = (true, ids, true, ids)
    blind = (np.zeros_like(true), ids, true, ids)
    found = scores(perfect, blind)
    assert found.official.things.pq == pytest.approx(2 / (2 + 0.5 * 2))
    assert scores().official.all.classes == 0
    assert math.isnan(scores().official.all.pq)


def test_a_class_left_out_of_averages_keeps_its_own_figure() -> None:
    true, ids = street()
    image = table(np.where(ids == 2, ROAD, true), ids, true, ids)
    found = panoptic_scores([image], np.arange(2), IS_THING, np.array([True, False]))
    assert found.official.all.pq == found.official.stuff.pq == found.official.pq[ROAD]
    assert found.official.things.classes == 0
    assert found.official.pq[CAR] == pytest.approx(2 / 3)


SHAPE = (3, 6)
classes = arrays.arrays(np.int64, SHAPE, elements=st.sampled_from([0, 1, 2, VOID]))
ids = arrays.arrays(np.int64, SHAPE, elements=st.integers(0, 2))
THINGS = np.array([False, True, True])


def plain_counts(
    predicted: np.ndarray, p_ids: np.ndarray, true: np.ndarray, t_ids: np.ndarray, official: bool
) -> tuple[list[float], list[int], list[int], list[int]]:
    """Both rules in plain Python, segment by segment."""

    def segments(names: np.ndarray, numbers: np.ndarray) -> list[tuple[int, int]]:
        return [
            (c, i if c != VOID and THINGS[c] else 0)
            for c, i in zip(names.ravel().tolist(), numbers.ravel().tolist(), strict=True)
        ]

    p, t = segments(predicted, p_ids), segments(true, t_ids)
    area_p, area_t, shared = Counter(p), Counter(t), Counter(zip(p, t, strict=True))
    void = (VOID, 0)
    crowds = {one for one in area_t if official and one != void and THINGS[one[0]] and one[1] == 0}
    iou_sum, tp, fp, fn = [0.0] * 3, [0] * 3, [0] * 3, [0] * 3
    hit_p, hit_t = set(), set()
    for (one, other), pixels in shared.items():
        if one[0] != other[0] or other == void or other in crowds:
            continue
        union = area_p[one] + area_t[other] - pixels - shared[one, void]
        if not official:
            union -= shared[void, other]
        if pixels / union > 0.5:
            iou_sum[one[0]] += pixels / union
            tp[one[0]] += 1
            hit_p.add(one)
            hit_t.add(other)
    for other in set(area_t) - hit_t - crowds - {void}:
        if official or shared[void, other] / area_t[other] <= 0.5:
            fn[other[0]] += 1
    for one in set(area_p) - hit_p - {void}:
        excused = shared[one, void] + sum(shared[one, c] for c in crowds if c[0] == one[0])
        if excused / area_p[one] <= 0.5:
            fp[one[0]] += 1
    return iou_sum, tp, fp, fn


@settings(deadline=None)
@given(predicted=classes, p_ids=ids, true=classes, t_ids=ids)
def test_both_rules_count_as_plain_python_does(
    predicted: np.ndarray, p_ids: np.ndarray, true: np.ndarray, t_ids: np.ndarray
) -> None:
    found = panoptic_scores([table(predicted, p_ids, true, t_ids)], np.arange(3), THINGS)
    for rule, official in ((found.official, True), (found.reference, False)):
        iou_sum, *numbers = plain_counts(predicted, p_ids, true, t_ids, official)
        counts = rule.counts
        assert counts.iou_sum == pytest.approx(iou_sum)
        assert [item.tolist() for item in (counts.matched, counts.invented, counts.missed)] == (
            numbers
        )


@settings(deadline=None)
@given(predicted=classes, p_ids=ids, true=classes, t_ids=ids, order=st.permutations(range(3)))
def test_the_numbers_of_instances_mean_nothing(
    predicted: np.ndarray, p_ids: np.ndarray, true: np.ndarray, t_ids: np.ndarray, order: list[int]
) -> None:
    renumbered = 5 * np.array(order)[p_ids]
    plain = panoptic_scores([table(predicted, p_ids, true, t_ids)], np.arange(3), THINGS)
    other = panoptic_scores([table(predicted, renumbered, true, t_ids)], np.arange(3), THINGS)
    for rule in ("official", "reference"):
        assert getattr(plain, rule).pq.tolist() == getattr(other, rule).pq.tolist()


@settings(deadline=None)
@given(true=classes, t_ids=ids, wrong=classes, spots=st.sets(st.integers(0, 17), max_size=6))
def test_voiding_an_object_that_was_found_never_raises_official_quality(
    true: np.ndarray, t_ids: np.ndarray, wrong: np.ndarray, spots: set[int]
) -> None:
    predicted = true.copy()
    predicted.flat[list(spots)] = wrong.flat[list(spots)]
    before = panoptic_scores([table(predicted, t_ids, true, t_ids)], np.arange(3), THINGS)
    for name, number in {(1, 1), (1, 2), (2, 1), (2, 2)}:
        voided = np.where((predicted == name) & (t_ids == number), VOID, predicted)
        after = panoptic_scores([table(voided, t_ids, true, t_ids)], np.arange(3), THINGS)
        if after.official.counts.matched[name] < before.official.counts.matched[name]:
            assert after.official.pq[name] <= before.official.pq[name] + 1e-12
        assert after.void_fraction >= before.void_fraction


@settings(deadline=None)
@given(true=classes, t_ids=ids)
def test_without_void_and_crowds_the_rules_agree_and_the_truth_is_perfect(
    true: np.ndarray, t_ids: np.ndarray
) -> None:
    found = panoptic_scores([table(true, t_ids + 1, true, t_ids + 1)], np.arange(3), THINGS)
    for rule in (found.official, found.reference):
        assert rule.counts.invented.sum() == rule.counts.missed.sum() == 0
        assert rule.all.pq == 1 or rule.all.classes == 0
