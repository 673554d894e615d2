"""Grouping of pixels around centres, against a plain implementation with whole arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.centre_grouping import STRIDE, CentreVotes, GroupingSettings, group
from cups_core.errors import InputError
from cups_core.nearest_centres import NOBODY, CellAxis, assign, pointed

# Road, sky, car, person.
IS_THING = (False, False, True, True)
ROAD, SKY, CAR, PERSON = range(4)
H, W = 64, 96
SAME = (1.0, 1.0)


def scene() -> tuple[CentreVotes, NDArray[np.uint8]]:
    """Road with two cars side by side, whose cells point to their centres, and a person."""
    labels = np.full((H, W), ROAD, np.uint8)
    labels[16:48, 8:72] = CAR
    labels[8:56, 80:90] = PERSON
    y, x = ((np.indices((H // STRIDE, W // STRIDE)) + 0.5) * STRIDE).astype(np.float32)
    centre_x = np.select([x < 40, x < 76], [24.0, 56.0], 85.0)
    offsets = np.stack([centre_x - x, 32.0 - y]).astype(np.float32)
    coarse = labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    semantic = np.where(np.arange(4)[:, None, None] == coarse, 8.0, 0.0).astype(np.float32)
    centres = np.zeros((100, 3), np.float32)
    centres[:3] = [56, 32, 0.9], [24, 32, 0.8], [85, 32, 0.7]
    return CentreVotes(semantic, centres, offsets), labels


def test_two_cars_of_one_class_become_two_segments() -> None:
    votes, labels = scene()
    found = group(votes, labels, IS_THING, SAME, GroupingSettings())
    assert [item.class_id for item in found.table] == [CAR, CAR, PERSON, ROAD]
    assert [item.is_thing for item in found.table] == [True, True, True, False]
    assert [item.box for item in found.table[:3]] == [
        (40, 16, 32, 32),
        (8, 16, 32, 32),
        (80, 8, 10, 48),
    ]
    assert [item.area_px for item in found.table] == [1024, 1024, 480, 3616]
    # The centre's score times exp(8) / (exp(8) + 3).
    assert found.table[0].score == pytest.approx(0.9 * 0.99899, abs=1e-4)
    assert found.table[3].score == 1.0


def test_without_centres_things_stay_void_and_stuff_remains() -> None:
    votes, labels = scene()
    nothing = CentreVotes(votes.semantic, np.zeros_like(votes.centres), votes.offsets)
    found = group(nothing, labels, IS_THING, SAME, GroupingSettings(least_centre_score=0.0))
    assert [item.class_id for item in found.table] == [ROAD]
    np.testing.assert_array_equal(found.segments == 0, labels >= CAR)
    none = CentreVotes(votes.semantic, np.zeros((0, 3), np.float32), votes.offsets)
    assert len(group(none, labels, IS_THING, SAME, GroupingSettings()).table) == 1


def test_an_instance_takes_its_most_frequent_class() -> None:
    votes, labels = scene()
    labels[16:30, 8:40] = PERSON
    found = group(votes, labels, IS_THING, SAME, GroupingSettings())
    assert found.table[1].class_id == CAR
    assert found.table[1].area_px == 32 * 32


def test_a_centre_beside_a_better_one_splits_nothing() -> None:
    votes, labels = scene()
    votes.centres[3] = [56, 36, 0.9]
    assert len(group(votes, labels, IS_THING, SAME, GroupingSettings()).table) == 4


def test_limits_leave_things_and_stuff_void() -> None:
    votes, labels = scene()
    labels[:4, :4] = SKY
    few = GroupingSettings(least_thing_share=0.1, least_stuff_share=0.01)
    found = group(votes, labels, IS_THING, SAME, few)
    assert [item.class_id for item in found.table] == [CAR, CAR, ROAD]
    assert (found.segments[labels == SKY] == 0).all()
    sure = GroupingSettings(least_centre_score=0.85)
    assert [item.class_id for item in group(votes, labels, IS_THING, SAME, sure).table] == [
        CAR,
        ROAD,
        SKY,
    ]


def test_what_points_far_from_every_centre_stays_void() -> None:
    votes, labels = scene()
    alone = CentreVotes(votes.semantic, votes.centres[:1], votes.offsets)
    found = group(alone, labels, IS_THING, SAME, GroupingSettings(farthest_vote=0.1))
    assert [item.class_id for item in found.table] == [CAR, ROAD]
    assert (found.segments[20:44, 10:36] == 0).all()


def test_an_image_that_fills_a_part_of_the_input_is_enlarged_with_its_centres() -> None:
    votes, labels = scene()
    whole = group(votes, labels, IS_THING, SAME, GroupingSettings())
    doubled = np.repeat(np.repeat(labels, 2, 0), 2, 1)
    padded = CentreVotes(
        np.pad(votes.semantic, ((0, 0), (0, 8), (0, 0))),
        np.concatenate([votes.centres, [[20, 80, 0.99]]]).astype(np.float32),
        np.pad(votes.offsets, ((0, 0), (0, 8), (0, 0))),
    )
    found = group(padded, doubled, IS_THING, (2.0, 2.0), GroupingSettings())
    np.testing.assert_array_equal(found.segments[::2, ::2], whole.segments)
    assert [item.area_px for item in found.table] == [4 * item.area_px for item in whole.table]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.floats(5, 200),
    st.tuples(st.integers(1, 70), st.integers(1, 90)),
    st.floats(0.3, 3.0),
)
@settings(max_examples=60, deadline=None)
def test_pixels_go_to_the_nearest_of_the_centres_of_the_cells_around_them(
    seed: int, count: int, farthest: float, shape: tuple[int, int], enlargement: float
) -> None:
    random = np.random.default_rng(seed)
    h, w = random.integers(1, 20, 2)
    offsets = random.normal(0, 15, (2, h, w)).astype(np.float32)
    centres = random.uniform(-10, 90, (count, 2)).astype(np.float32)
    labels = random.integers(0, 4, shape, np.uint8)
    rows = CellAxis.of(shape[0], STRIDE * enlargement, int(h))
    columns = CellAxis.of(shape[1], STRIDE * enlargement, int(w))
    places = pointed(offsets, STRIDE)
    things = np.array(IS_THING)
    owners, counts = assign(places, centres, farthest, labels, things, rows, columns)

    at = [
        np.clip((np.arange(n) + 0.5) / (STRIDE * enlargement) - 0.5, 0, cells - 1)
        for n, cells in zip(shape, (h, w), strict=True)
    ]
    expected = np.full(shape, NOBODY)
    decided = np.ones(shape, bool)
    cells = np.hypot(*(places[axis][..., None] - centres[:, axis].astype(float) for axis in (0, 1)))
    cells[cells >= farthest] = np.inf
    for y, x in np.argwhere(things[labels]):
        rows_of, columns_of = ([int(at[k][i]), int(at[k][i]) + 1] for k, i in ((0, y), (1, x)))
        corners = cells[np.ix_(np.minimum(rows_of, h - 1), np.minimum(columns_of, w - 1))]
        corners = corners.reshape(4, count)
        candidates = np.unique(corners[np.isfinite(corners).any(1)].argmin(1))
        if len(candidates):
            place = [bilinear(plane, at[0][y], at[1][x]) for plane in places]
            distances = np.hypot(*(place - centres[candidates].astype(float)).T)
            expected[y, x] = candidates[distances.argmin()]
            near = np.sort(distances)
            decided[y, x] = len(near) < 2 or near[1] - near[0] > 1e-3
    np.testing.assert_array_equal(owners[decided], expected[decided])
    for owner in range(-1, count):
        np.testing.assert_array_equal(
            counts[owner], np.bincount(labels[owners == owner], minlength=4)
        )


def bilinear(plane: NDArray[np.float32], y: float, x: float) -> float:
    row, column = int(y), int(x)
    below, beside = min(row + 1, plane.shape[0] - 1), min(column + 1, plane.shape[1] - 1)
    upper = plane[row, column] * (1 - x + column) + plane[row, beside] * (x - column)
    lower = plane[below, column] * (1 - x + column) + plane[below, beside] * (x - column)
    return float(upper * (1 - y + row) + lower * (y - row))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_every_map_is_whole_and_the_same_again(seed: int) -> None:
    random = np.random.default_rng(seed)
    semantic = random.normal(0, 2, (4, 9, 13)).astype(np.float32)
    centres = random.uniform(0, 1, (40, 3)).astype(np.float32) * [52, 36, 1]
    votes = CentreVotes(
        semantic, centres.astype(np.float32), random.normal(0, 9, (2, 9, 13)).astype(np.float32)
    )
    labels = random.integers(0, 4, (30, 47), np.uint8)
    found = group(votes, labels, IS_THING, SAME, GroupingSettings())
    again = group(votes, labels, IS_THING, SAME, GroupingSettings())
    np.testing.assert_array_equal(found.segments, again.segments)
    scores = [item.score for item in found.table if item.is_thing]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    for item in found.table:
        rows, columns = np.nonzero(found.segments == item.id)
        left, top, width, height = item.box
        assert (left, left + width - 1) == (columns.min(), columns.max())
        assert (top, top + height - 1) == (rows.min(), rows.max())
        assert item.area_px == len(rows)
        assert IS_THING[item.class_id] == item.is_thing


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    votes, labels = scene()
    with pytest.raises(InputError, match="votes"):
        CentreVotes(votes.semantic, votes.centres, votes.offsets[:, :3])
    with pytest.raises(InputError, match="up to 4"):
        group(votes, labels + np.uint8(1), IS_THING, SAME, GroupingSettings())
    with pytest.raises(InputError, match="3$"):
        group(votes, labels, IS_THING[:3], SAME, GroupingSettings())
