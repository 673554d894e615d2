from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cups_core.errors import InputError
from cups_core.metrics.segment_intersections import SegmentIntersections, intersect
from cups_core.panoptic import UNKNOWN_CLASS

SHAPE = (3, 5)


def maps(
    dtype: type[np.unsignedinteger], highest: int, void: int | None = None
) -> st.SearchStrategy:
    values = st.integers(0, highest)
    return arrays.arrays(dtype, SHAPE, elements=values if void is None else values | st.just(void))


four_maps = st.fixed_dictionaries(
    {
        "predicted_class": maps(np.uint8, 3, 255),
        "predicted_instance": maps(np.uint16, 2),
        "truth_class": maps(np.uint16, 3, 65535),
        "truth_instance": maps(np.uint16, 2),
    }
)


def rows(table: SegmentIntersections) -> dict[tuple[int, ...], int]:
    segments = zip(
        table.predicted_class.tolist(),
        table.predicted_instance.tolist(),
        table.truth_class.tolist(),
        table.truth_instance.tolist(),
        strict=True,
    )
    return dict(zip(segments, table.pixels.tolist(), strict=True))


@settings(deadline=None)
@given(found=four_maps)
def test_the_table_counts_every_pixel_once(found: dict[str, np.ndarray]) -> None:
    expected: Counter[tuple[int, ...]] = Counter()
    columns = ("predicted_class", "predicted_instance", "truth_class", "truth_instance")
    for pc, pi, tc, ti in zip(*(found[name].ravel().tolist() for name in columns), strict=True):
        predicted = (UNKNOWN_CLASS, 0) if pc == 255 else (pc, pi)
        expected[(*predicted, *((tc, 0) if tc == UNKNOWN_CLASS else (tc, ti)))] += 1
    assert rows(intersect(**found)) == expected


def test_more_segments_than_the_first_table_holds_are_counted_too() -> None:
    generator = np.random.default_rng(0)
    ids = generator.permutation(65536).astype(np.uint16).reshape(256, 256)
    classes = np.zeros((256, 256), np.uint8)
    table = intersect(
        predicted_class=classes,
        predicted_instance=ids,
        truth_class=classes,
        truth_instance=ids[::-1].copy(),
    )
    assert len(table.pixels) == 65536
    assert set(table.pixels.tolist()) == {1}


@settings(deadline=None)
@given(found=four_maps, names=st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_naming_the_table_is_naming_the_map(found: dict[str, np.ndarray], names: list[int]) -> None:
    is_thing = np.array([False, False, True, True, False])
    lookup = np.full(256, 255, np.uint8)
    lookup[:4] = names
    renamed = dict(found, predicted_class=lookup[found["predicted_class"]])
    for side in ("predicted", "truth"):
        stuff = ~np.isin(renamed[f"{side}_class"], np.flatnonzero(is_thing))
        renamed[f"{side}_instance"] = np.where(stuff, np.uint16(0), renamed[f"{side}_instance"])
    assert rows(intersect(**found).named(np.array(names), is_thing)) == rows(intersect(**renamed))


@settings(deadline=None)
@given(found=four_maps)
def test_the_confusion_leaves_out_what_either_side_voids(found: dict[str, np.ndarray]) -> None:
    predicted, true = found["predicted_class"], found["truth_class"]
    confusion = intersect(**found).confusion(4, 6)
    assert confusion.tolist() == [
        [int(((predicted == cluster) & (true == name)).sum()) for name in range(6)]
        for cluster in range(4)
    ]


def test_a_class_beyond_the_list_is_refused() -> None:
    maps = {
        "predicted_class": np.full(SHAPE, 7, np.uint8),
        "predicted_instance": np.zeros(SHAPE, np.uint16),
        "truth_class": np.zeros(SHAPE, np.uint8),
        "truth_instance": np.zeros(SHAPE, np.uint16),
    }
    table = intersect(**maps)
    with pytest.raises(InputError, match=r"predicted classes below 7, found \[7\]"):
        table.confusion(7, 1)
    with pytest.raises(InputError, match="true classes below 0"):
        table.named(np.arange(8), np.empty(0, bool))
    with pytest.raises(InputError, match="one size"):
        intersect(**maps | {"truth_class": np.zeros((2, 2), np.uint8)})
    with pytest.raises(InputError, match="uint8 or uint16 maps, got .*int64"):
        intersect(**maps | {"truth_class": np.zeros(SHAPE, np.int64)})
