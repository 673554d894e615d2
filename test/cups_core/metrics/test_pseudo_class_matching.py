from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cups_core.errors import InputError
from cups_core.metrics.pseudo_class_matching import match_freely, match_things_and_stuff_apart

tables = arrays.arrays(
    np.int64, st.tuples(st.integers(0, 5), st.integers(1, 4)), elements=st.integers(0, 50)
)


def most_shared_pixels(confusion: np.ndarray) -> int:
    """The best one-to-one assignment by trying all."""
    wide = confusion if confusion.shape[0] <= confusion.shape[1] else confusion.T
    return max(
        int(sum(wide[row, column] for row, column in enumerate(choice)))
        for choice in permutations(range(wide.shape[1]), wide.shape[0])
    )


@settings(deadline=None)
@given(confusion=tables)
def test_one_to_one_pairs_share_most_pixels_and_the_rest_takes_its_largest_class(
    confusion: np.ndarray,
) -> None:
    names = match_freely(confusion)
    largest = confusion.max(axis=1, initial=0)
    shared = confusion[np.arange(len(names)), names]
    # Whoever does not get its largest class is part of the one-to-one pairs.
    bound = names[shared < largest]
    assert len(set(bound.tolist())) == len(bound)
    assert shared.sum() >= most_shared_pixels(confusion)
    if len(names) <= confusion.shape[1]:
        assert len(set(names.tolist())) == len(names)
        assert shared.sum() == most_shared_pixels(confusion)


def test_a_cluster_that_is_left_over_takes_its_largest_class() -> None:
    # Three clusters of road and one of car; by hand: 0 -> road, 3 -> car, 1 and 2 -> road.
    confusion = np.array([[90, 0], [50, 10], [40, 0], [5, 30]])
    assert match_freely(confusion).tolist() == [0, 0, 0, 1]


def test_a_thing_never_stands_for_stuff() -> None:
    # The second cluster, a thing, lies mostly on stuff; freely it would be called so.
    confusion = np.array([[10, 0, 0], [90, 3, 2]])
    is_thing = np.array([False, True, True])
    apart = match_things_and_stuff_apart(confusion, np.array([False, True]), is_thing)
    assert apart.tolist() == [0, 1]
    # It is optimal to give stuff to the second and leave the first with nothing.
    assert match_freely(confusion)[1] == 0


@settings(deadline=None)
@given(confusion=arrays.arrays(np.int64, (5, 4), elements=st.integers(0, 50)), bits=st.data())
def test_every_cluster_gets_a_class_of_its_kind(confusion: np.ndarray, bits: st.DataObject) -> None:
    clusters = np.array(bits.draw(st.lists(st.booleans(), min_size=5, max_size=5)))
    classes = np.array([False, True, *bits.draw(st.lists(st.booleans(), min_size=2, max_size=2))])
    names = match_things_and_stuff_apart(confusion, clusters, classes)
    assert (classes[names] == clusters).all()


def test_what_cannot_be_matched_is_said() -> None:
    confusion = np.ones((2, 2), np.int64)
    with pytest.raises(InputError, match="1 pseudo-classes, but no class"):
        match_things_and_stuff_apart(confusion, np.array([False, True]), np.array([False, False]))
    with pytest.raises(InputError, match=r"expected a confusion of \(3, 2\), found \(2, 2\)"):
        match_things_and_stuff_apart(confusion, np.zeros(3, bool), np.zeros(2, bool))
