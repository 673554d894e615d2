"""Are the counts exact however the frames are divided, and are the right classes things?"""

from __future__ import annotations

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


def statistics(
    pixels: list[int], inside: list[int], masks: list[int], objects: list[int]
) -> ClassStatistics:
    return ClassStatistics(*(np.array(row, np.int64) for row in (pixels, inside, masks, objects)))


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
    assert count_objects([1, 1, 2, 255], 3).objects.tolist() == [0, 2, 1]


def test_more_pixels_than_32_bits_hold_are_counted() -> None:
    many = statistics([2**40], [2**33], [1], [1])
    assert (many + many).pixels.tolist() == [2**41]


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=5))
def test_counts_come_back_from_json(pixels: list[int]) -> None:
    found = statistics(pixels, [n // 2 for n in pixels], pixels, pixels)
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
        statistics([1], [2], [1], [1])


STREET = statistics(
    # road, building, car, person, pole: cars and people move, one mask went astray on each other.
    pixels=[400_000, 400_000, 60_000, 20_000, 20_000],
    inside=[500, 500, 15_000, 10_000, 100],
    masks=[3, 3, 100, 90, 2],
    objects=[1, 1, 14, 10, 1],
)


def test_classes_that_masks_hold_more_than_chance_are_things() -> None:
    split = split_classes(STREET)
    assert split.things == (3, 2)  # the larger share first
    assert split.stuff == (0, 1, 4)
    person = split.evidence[3]
    assert person.share_in_masks == pytest.approx(0.5)
    assert person.lift == pytest.approx(0.5 / (26_100 / 900_000))
    assert person.is_thing


def test_one_long_track_is_one_sample_however_many_pixels_it_has() -> None:
    # All masks of the pole are of one object: its share is high, and so is the chance of that.
    lucky = statistics(
        [400_000, 400_000, 60_000, 20_000, 20_000],
        [500, 500, 15_000, 10_000, 9_000],
        [3, 3, 100, 90, 300],
        [1, 1, 14, 10, 1],
    )
    assert split_classes(lucky).things == (3, 2)
    assert split_classes(lucky, NORMALISED).things == (3, 4, 2)


def test_the_background_test_does_not_depend_on_how_finely_stuff_is_divided() -> None:
    # A hundred kinds of building instead of one: the paper's shares change, the verdict must not.
    def split(parts: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        divided = statistics(
            [60_000, 20_000, *[800_000 // parts] * parts],
            [15_000, 600, *[6_400 // parts] * parts],
            [100, 30, *[0] * parts],
            [14, 4, *[0] * parts],
        )
        return split_classes(divided).things, split_classes(divided, NORMALISED).things

    assert split(1)[0] == split(100)[0] == (0,)
    assert split(1)[1] == (0, 1)
    assert split(100)[1] == (0,)


def test_equal_shares_are_ordered_by_class() -> None:
    equal = statistics([100, 100, 9800], [50, 50, 0], [9, 9, 0], [9, 9, 0])
    assert split_classes(equal).things == (0, 1)


def test_without_any_mask_everything_is_stuff() -> None:
    nothing = statistics([10, 0], [0, 0], [0, 0], [0, 0])
    for settings in (ThingStuffSettings(), NORMALISED):
        assert split_classes(nothing, settings).things == ()
        assert split_classes(nothing, settings).stuff == (0, 1)


def test_the_papers_form_may_call_every_class_a_thing() -> None:
    # The reference returns none in this case (METHOD 1.4).
    every = statistics([10, 10], [5, 5], [1, 1], [1, 1])
    assert split_classes(every, NORMALISED).things == (0, 1)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["background", "normalised"]))
def test_the_split_holds_every_class_once_whatever_their_order(seed: int, test: str) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 10**6, 12)
    objects = random.integers(0, 20, 12)
    masks, inside = objects * 5, (pixels * random.random(12)).astype(np.int64)
    shuffle = random.permutation(12)
    settings = ThingStuffSettings(thing_test=test)
    split = split_classes(ClassStatistics(pixels, inside, masks, objects), settings)
    again = split_classes(
        ClassStatistics(pixels[shuffle], inside[shuffle], masks[shuffle], objects[shuffle]),
        settings,
    )
    assert sorted(split.things + split.stuff) == list(range(12))
    assert {int(shuffle[k]) for k in again.things} == set(split.things)
