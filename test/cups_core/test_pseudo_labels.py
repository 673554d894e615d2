"""Does every mask get the class of most of its pixels, and is what nobody knows left out?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.segments import areas_and_boxes
from cups_core.panoptic import Segment
from cups_core.pseudo_labels import (
    VOID_CLASS,
    LabelQuality,
    PseudoLabel,
    count_votes,
    ignored_pixels,
    make_pseudo_label,
    paint_classes,
)
from cups_core.thing_stuff import ThingStuff

QUALITY = LabelQuality(0.1, 0.9, 0.8, 0.0)
SPLIT = ThingStuff(things=(2,), stuff=(0, 1), evidence=())
SEMANTIC = np.array([[0, 0, 1, 1], [2, 2, 1, 255], [2, 2, 0, 0]], np.uint8)
INSTANCES = np.array([[0, 0, 5, 5], [3, 3, 5, 0], [0, 0, 0, 0]], np.uint16)


def vote_classes(
    semantics: Sequence[NDArray[np.uint8]], instances: Sequence[NDArray[np.uint16]]
) -> dict[int, int]:
    return count_votes(semantics, instances).winners()


def objects_of(semantic: NDArray[np.uint8], instances: NDArray[np.uint16]) -> list[Segment]:
    class_of = vote_classes([semantic], [instances])
    unknown = np.full(3, np.nan)
    return [
        Segment(number, class_of[number], "", False, 0.5, *found, 10 + number, unknown, unknown)
        for number, found in areas_and_boxes(instances).items()
    ]


def label() -> PseudoLabel:
    return make_pseudo_label(
        7, SEMANTIC, INSTANCES, objects_of(SEMANTIC, INSTANCES), SPLIT, "fast", QUALITY
    )


@settings(deadline=None)  # the first example waits for the compiler
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_the_class_of_an_object_is_that_of_most_of_its_pixels(seed: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    semantics = list(random.integers(0, 5, (frames, 8, 9)).astype(np.uint8))
    for semantic in semantics:
        semantic[random.random(semantic.shape) < 0.2] = VOID_CLASS
    instances = list(random.integers(0, 4, (frames, 8, 9)).astype(np.uint16))
    found = vote_classes(semantics, instances)
    for number, class_id in found.items():
        votes = Counter(
            int(pixel)
            for semantic, ids in zip(semantics, instances, strict=True)
            for pixel in semantic[ids == number]
            if pixel != VOID_CLASS
        )
        most = max(votes.values())
        assert class_id == min(k for k, count in votes.items() if count == most)
        assert most == max(count_votes(semantics, instances).pixels[list(found).index(number)])
    assert list(found) == sorted(set(np.unique(instances).tolist()) - {0})


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_objects_are_painted_whole_and_the_rest_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    semantic = random.integers(0, 5, (8, 9)).astype(np.uint8)
    instances = random.integers(0, 4, (8, 9)).astype(np.uint16)
    class_of = vote_classes([semantic], [instances])
    painted = paint_classes(semantic, instances, class_of)
    for number, class_id in class_of.items():
        assert set(painted[instances == number].tolist()) == {class_id}
    assert np.array_equal(painted[instances == 0], semantic[instances == 0])
    assert vote_classes([painted], [instances]) == class_of


def test_more_than_255_objects_keep_their_classes() -> None:
    instances = np.arange(1, 60_001, dtype=np.uint16).reshape(200, 300)
    semantic = (np.arange(60_000) % 27).astype(np.uint8).reshape(200, 300)
    class_of = vote_classes([semantic], [instances])
    assert len(class_of) == 60_000
    assert np.array_equal(paint_classes(semantic, instances, class_of), semantic)
    made = make_pseudo_label(
        0, semantic, instances, objects_of(semantic, instances), SPLIT, "fast", QUALITY
    )
    assert len(made.panoptic({}).table) == np.count_nonzero(semantic == 2)


def test_an_object_without_any_class_stays_without() -> None:
    nothing = np.full((2, 2), VOID_CLASS, np.uint8)
    ids = np.full((2, 2), 4, np.uint16)
    assert vote_classes([nothing], [ids]) == {4: VOID_CLASS}
    assert ignored_pixels(nothing, ids, SPLIT).all()


def test_maps_of_different_sizes_cannot_vote() -> None:
    with pytest.raises(InputError, match="maps of one size"):
        vote_classes([np.zeros((2, 3), np.uint8)], [np.zeros((2, 2), np.uint16)])


def test_what_is_ignored() -> None:
    assert label().ignore.tolist() == [
        [False, False, True, True],  # the mask of a stuff class
        [False, False, True, True],  # a pixel without a class
        [True, True, False, False],  # thing pixels without a mask
    ]
    assert label().quality.ignored == pytest.approx(6 / 12)


def test_the_table_says_which_objects_are_things() -> None:
    assert [(item.id, item.class_id, item.is_thing) for item in label().objects] == [
        (3, 2, True),
        (5, 1, False),
    ]


def test_the_panoptic_map_holds_things_and_stuff_and_is_void_elsewhere() -> None:
    found = label().panoptic({2: "thing_2", 0: "stuff_0"})
    assert found.segments.tolist() == [[6, 6, 0, 0], [3, 3, 0, 0], [0, 0, 6, 6]]
    thing, stuff = found.table
    assert (thing.class_id, thing.is_thing, thing.area_px, thing.box) == (2, True, 2, (0, 1, 2, 1))
    assert (stuff.class_id, stuff.is_thing, stuff.area_px, stuff.box) == (0, False, 4, (0, 0, 4, 3))
    assert stuff.class_name == "stuff_0"


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_pixel_is_in_a_segment_of_its_class_or_ignored(seed: int) -> None:
    random = np.random.default_rng(seed)
    instances = random.integers(0, 4, (6, 6)).astype(np.uint16)
    raw = random.choice(np.array([0, 1, 2, VOID_CLASS], np.uint8), (6, 6))
    semantic = paint_classes(raw, instances, vote_classes([raw], [instances]))
    made = make_pseudo_label(
        0, semantic, instances, objects_of(semantic, instances), SPLIT, "fast", QUALITY
    )
    found = made.panoptic({})
    assert np.array_equal(found.segments == 0, made.ignore)
    for segment in found.table:
        inside = found.segments == segment.id
        assert segment.area_px == inside.sum()
        assert set(semantic[inside].tolist()) == {segment.class_id}
        assert segment.is_thing == (segment.class_id in SPLIT.things)


@pytest.mark.parametrize(
    ("semantic", "instances", "message"),
    [
        (SEMANTIC.astype(np.int64), INSTANCES, "semantic: expected uint8"),
        (SEMANTIC[:2], INSTANCES, "semantic: expected uint8"),
        (SEMANTIC, INSTANCES.astype(np.uint8), "instances: expected uint16"),
        (SEMANTIC, np.where(INSTANCES == 5, 6, INSTANCES).astype(np.uint16), "the table lists"),
    ],
)
def test_maps_that_do_not_fit_are_refused(
    semantic: NDArray[np.uint8], instances: NDArray[np.uint16], message: str
) -> None:
    made = label()
    with pytest.raises(InputError, match=message):
        PseudoLabel(7, semantic, instances, made.ignore, made.objects, "fast", QUALITY)
