"""Regions: what is one thing and what is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_training.privacy.regions import FACE, PLATE, Region, merged

BOXES = st.builds(
    Region,
    st.floats(-20, 100),
    st.floats(-20, 100),
    st.floats(0.5, 60),
    st.floats(0.5, 60),
    st.sampled_from([FACE, PLATE]),
    st.floats(0, 1),
)


def holds(outer: Region, inner: Region) -> bool:
    slack = 1e-9
    return (
        outer.kind == inner.kind
        and outer.x <= inner.x + slack
        and outer.y <= inner.y + slack
        and outer.x + outer.width >= inner.x + inner.width - slack
        and outer.y + outer.height >= inner.y + inner.height - slack
    )


@given(st.lists(BOXES, max_size=8), st.randoms(use_true_random=False))
def test_merging_loses_nothing_and_does_not_depend_on_the_order(boxes, random) -> None:
    found = merged(boxes)
    for box in boxes:
        assert any(holds(region, box) for region in found)
    random.shuffle(boxes)
    assert merged(boxes) == found


def test_one_face_found_twice_is_one_region_and_two_neighbours_are_two() -> None:
    face = Region(10, 10, 20, 20, FACE, 0.5)
    again = Region(12, 12, 20, 20, FACE, 0.9)
    neighbour = Region(28, 10, 20, 20, FACE, 0.7)
    assert merged([face, again]) == [Region(10, 10, 22, 22, FACE, 0.9)]
    assert merged([face, neighbour]) == [face, neighbour]


def test_a_plate_on_a_face_stays_a_plate() -> None:
    face = Region(10, 10, 20, 20, FACE, 0.5)
    plate = Region(10, 10, 20, 20, PLATE, 0.5)
    assert merged([plate, face]) == [face, plate]


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (0, 0, 5, -1), (math.nan, 0, 5, 5), (0, 0, 5, math.inf)]
)
def test_a_box_without_place_or_size_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="finite box of positive size"):
        Region(*box, FACE, 1.0)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="found 'dog'"):
        Region(0, 0, 1, 1, "dog", 1.0)
