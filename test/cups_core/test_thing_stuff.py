"""Are the counts exact however the frames are divided, and are the right classes things?"""

from __future__ import annotations

import dataclasses
import json
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.thing_stuff import (
    FIELDS,
    ClassStatistics,
    ThingStuffSettings,
    count_frame,
    count_objects,
    split_classes,
)

NORMALISED = ThingStuffSettings(thing_test="normalised")


def statistics(pixels: list[int], objects: list[list[int]]) -> ClassStatistics:
    """Pixels of each class, and the size of each of its objects; every vote is unanimous."""
    votes = [sum(sizes) for sizes in objects]
    squares = [sum(size**2 for size in sizes) for sizes in objects]
    counts = [len(sizes) for sizes in objects]
    rows = (pixels, votes, counts, counts, votes, squares)
    return ClassStatistics(*(np.array(row, np.int64) for row in rows))


def same(first: ClassStatistics, second: ClassStatistics) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in FIELDS)


def total(parts: list[ClassStatistics], classes: int) -> ClassStatistics:
    return reduce(add, parts, ClassStatistics.none(classes))


@given(
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
)
def test_the_counts_of_any_partition_add_up_to_the_whole(
    classes: int, seed: int, parts: list[int]
) -> None:
    random = np.random.default_rng(seed)
    frames = []
    for _ in parts:
        instances = random.integers(0, 4, (6, 7)).astype(np.uint16)
        class_of = random.integers(0, classes, 4)
        semantic = np.where(
            instances > 0, class_of[instances], random.integers(0, classes, (6, 7))
        ).astype(np.uint8)
        frames.append(count_frame(semantic, instances, classes))
    whole = total(frames, classes)
    by_part = [
        total([frame for frame, part in zip(frames, parts, strict=True) if part == k], classes)
        for k in range(3, -1, -1)
    ]
    assert same(total(by_part, classes), whole)
    assert whole.pixels.sum() == 6 * 7 * len(parts)


def test_pixels_and_masks_of_a_frame_are_counted_by_class() -> None:
    semantic = np.array([[0, 0, 2, 2], [1, 2, 2, 255]], np.uint8)
    instances = np.array([[0, 0, 7, 7], [9, 3, 3, 0]], np.uint16)
    found = count_frame(semantic, instances, 3)
    assert found.pixels.tolist() == [2, 1, 4]
    assert found.pixels_in_masks.tolist() == [0, 1, 4]
    assert found.masks.tolist() == [0, 1, 2]
    assert found.objects.tolist() == [0, 0, 0]


def test_an_object_counts_once_and_one_without_a_class_not_at_all() -> None:
    votes = np.array([[0, 9, 1], [2, 7, 0], [0, 0, 5], [0, 0, 0]], np.int64)
    found = count_objects(votes, [1, 1, 2, 255], 3)
    assert found.objects.tolist() == [0, 2, 1]
    assert found.votes.tolist() == [2, 16, 6]
    assert found.vote_squares.tolist() == [4, 81 + 49, 1 + 25]
    assert found.pixels.tolist() == [0, 0, 0]


def test_more_pixels_than_32_bits_hold_are_counted() -> None:
    many = statistics([2**40], [[2**20]])
    assert (many + many).pixels.tolist() == [2**41]
    assert (many + many).vote_squares.tolist() == [2**41]


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=5))
def test_counts_come_back_from_json(pixels: list[int]) -> None:
    found = statistics(pixels, [[min(n, 2**20)] for n in pixels])
    assert same(ClassStatistics.from_json(json.loads(json.dumps(found.to_json()))), found)


@pytest.mark.parametrize(
    "broken", [{}, {name: [1.5] for name in FIELDS}, {name: ["a"] for name in FIELDS}]
)
def test_json_that_holds_no_counts_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(InputError, match="class statistics"):
        ClassStatistics.from_json(broken)


def test_counts_of_other_classes_cannot_be_added() -> None:
    with pytest.raises(InputError, match="3 and 4 classes"):
        ClassStatistics.none(3) + ClassStatistics.none(4)


def test_more_pixels_in_masks_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="more pixels inside masks"):
        statistics([1], [[2]])


ROAD, BUILDING, CAR, PERSON, POLE = range(5)
PIXELS = [400_000, 400_000, 60_000, 20_000, 20_000]
STREET = statistics(PIXELS, [[500], [500], [1000] * 14 + [800], [900] * 10, [100]])
"""Cars and people move; one mask went astray on each of the others."""


def test_classes_that_masks_surely_hold_more_of_are_things() -> None:
    split = split_classes(STREET)
    assert split.things == (PERSON, CAR)  # the larger share first
    assert split.stuff == (ROAD, BUILDING, POLE)
    person = split.evidence[PERSON]
    assert person.share_in_masks == pytest.approx(9000 / 20_000)
    assert person.lift == pytest.approx(0.45 / (24_900 / 900_000))
    assert person.effective_objects == pytest.approx(10)
    assert split.evidence[CAR].effective_objects == pytest.approx(14.96, abs=0.01)


def test_significance_counts_objects_not_pixels() -> None:
    # Votes over what chance would give, in units of the spread that ten objects have.
    expected = 20_000 * 24_900 / 900_000
    lift = ThingStuffSettings().thing_lift
    by_hand = (9000 - lift * expected) / np.sqrt(10 * 900**2)
    assert split_classes(STREET).evidence[PERSON].significance == pytest.approx(by_hand)


def test_one_long_track_is_one_sample_however_many_pixels_it_has() -> None:
    # One object covers half of all poles in many frames: a large share, and no more than chance.
    lucky = statistics(PIXELS, [[500], [500], [1000] * 15, [900] * 10, [10_000]])
    assert split_classes(lucky).things == (PERSON, CAR)
    assert split_classes(lucky).evidence[POLE].effective_objects == pytest.approx(1)
    assert split_classes(lucky, NORMALISED).things == (POLE, PERSON, CAR)


def test_a_class_that_is_the_smaller_part_of_moving_objects_is_a_thing() -> None:
    # Wheels never win a vote: painted, no mask holds one; before the vote every mask does.
    votes = np.array([[0, 800, 200]] * 12, np.int64)
    painted = np.array([900_000, 60_000, 5_000], np.int64)
    inside = np.array([0, 12_000, 0], np.int64)
    found = count_objects(votes, [1] * 12, 3)
    found = dataclasses.replace(found, pixels=painted, pixels_in_masks=inside)
    assert split_classes(found).things == (2, 1)
    assert split_classes(found).evidence[2].share_in_masks == pytest.approx(2400 / 7400)
    assert split_classes(found, NORMALISED).things == (1,)


def test_the_background_test_does_not_depend_on_how_finely_stuff_is_divided() -> None:
    # A hundred kinds of building instead of one: the paper's shares change, the verdict must not.
    def things(parts: int, settings: ThingStuffSettings) -> tuple[int, ...]:
        astray = [[8], [8]] * (200 // parts)
        divided = statistics(
            [60_000, 20_000, *[800_000 // parts] * parts],
            [[1000] * 15, [200] * 3, *[[size for one in astray for size in one]] * parts],
        )
        return split_classes(divided, settings).things

    plain = ThingStuffSettings()
    assert things(1, plain) == things(100, plain) == (0,)
    assert things(1, NORMALISED) == (0, 1)
    assert things(100, NORMALISED) == (0,)


def test_equal_shares_are_ordered_by_class() -> None:
    equal = statistics([1000, 1000, 98_000], [[50] * 9, [50] * 9, []])
    assert split_classes(equal).things == (0, 1)


def test_without_any_mask_everything_is_stuff() -> None:
    nothing = statistics([10, 0], [[], []])
    for settings in (ThingStuffSettings(), NORMALISED):
        assert split_classes(nothing, settings).things == ()
        assert split_classes(nothing, settings).stuff == (0, 1)


def test_the_papers_form_may_call_every_class_a_thing() -> None:
    # The reference returns none in this case.
    every = statistics([10, 10], [[5], [5]])
    assert split_classes(every, NORMALISED).things == (0, 1)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["background", "normalised"]))
def test_the_split_holds_every_class_once_whatever_their_order(seed: int, test: str) -> None:
    random = np.random.default_rng(seed)
    sizes = [random.integers(1, 1000, random.integers(0, 9)).tolist() for _ in range(12)]
    pixels = [sum(one) + int(random.integers(10**5)) for one in sizes]
    shuffle = random.permutation(12)
    settings = ThingStuffSettings(thing_test=test)
    split = split_classes(statistics(pixels, sizes), settings)
    again = split_classes(
        statistics([pixels[k] for k in shuffle], [sizes[k] for k in shuffle]), settings
    )
    assert sorted(split.things + split.stuff) == list(range(12))
    assert {int(shuffle[k]) for k in again.things} == set(split.things)
