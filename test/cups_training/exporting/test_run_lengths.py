"""Masks as run lengths, judged by COCO's own code and by a decoder of Label Studio's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from cups_training.exporting.label_studio_rle import brush_rle
from cups_training.exporting.run_lengths import (
    coco_counts,
    runs_by_column,
    runs_by_row,
    void_by_column,
)

from .conftest import panoptic_map

coco = pytest.importorskip("pycocotools.mask")

VALUES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 11)),
    elements=st.integers(0, 6),
)


def mask_of(values: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    present = [value for value in np.unique(values) if value]
    return np.asfortranarray((values == present[number - 1]).astype(np.uint8))


@given(VALUES)
def test_coco_encodes_the_same_text(values: NDArray[np.uint8]) -> None:
    label = panoptic_map(values)
    for one in label.table:
        expected = coco.encode(mask_of(values, one.id))
        assert coco_counts(runs_by_column(label, one), values.size).encode() == expected["counts"]


@given(VALUES)
def test_void_is_a_mask_like_any_other(values: NDArray[np.uint8]) -> None:
    expected = coco.encode(np.asfortranarray((values == 0).astype(np.uint8)))
    assert (
        coco_counts(void_by_column(panoptic_map(values)), values.size).encode()
        == (expected["counts"])
    )


def test_long_runs_take_several_characters() -> None:
    values = np.zeros((700, 900), np.uint8)
    values[20:650, 300:303] = 1
    values[0, 899] = 1
    label = panoptic_map(values)
    text = coco_counts(runs_by_column(label, label.table[0]), values.size)
    decoded = coco.decode({"size": [700, 900], "counts": text.encode()})
    assert np.array_equal(decoded, values)


@given(VALUES)
def test_runs_cover_the_mask_and_nothing_else(values: NDArray[np.uint8]) -> None:
    label = panoptic_map(values)
    for one in label.table:
        found = np.zeros(values.size, np.uint8)
        for start, end in runs_by_row(label, one):
            assert not found[start:end].any()
            found[start:end] = 1
        assert np.array_equal(found.reshape(values.shape), mask_of(values, one.id))


def decoded_bits(data: list[int]) -> NDArray[np.uint8]:
    """rle-pack as its inventor describes it, bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in data)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        value = int(bits[place : place + count], 2)
        place += count
        return value

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    found: list[int] = []
    while len(found) < total:
        is_run = take(1)
        count = 1 + take(sizes[take(2)])
        found += [take(word)] * count if is_run else [take(word) for _ in range(count)]
    return np.array(found, np.uint8)


def brush_mask(data: list[int], shape: tuple[int, ...], decode: Any) -> NDArray[np.uint8]:
    """The alpha channel, after a look at the others."""
    channels = decode(data).reshape(*shape, 4)
    assert (channels == channels[..., :1]).all()
    assert set(np.unique(channels)) <= {0, 255}
    return np.asarray(channels[..., 3] // 255)


@given(VALUES)
def test_brush_masks_come_back(values: NDArray[np.uint8]) -> None:
    label = panoptic_map(values)
    for one in label.table:
        data = brush_rle(runs_by_row(label, one), values.size)
        assert np.array_equal(brush_mask(data, values.shape, decoded_bits), mask_of(values, one.id))


@pytest.mark.parametrize("width", [1, 4, 5, 63, 64, 65, 1024, 1025, 16384, 16385, 40000])
def test_brush_runs_of_every_length_come_back(width: int) -> None:
    values = np.zeros((1, 2 * width + 1), np.uint8)
    values[0, width : 2 * width] = 1
    label = panoptic_map(values)
    data = brush_rle(runs_by_row(label, label.table[0]), values.size)
    assert np.array_equal(brush_mask(data, values.shape, decoded_bits), values)


def test_label_studio_decodes_the_same_mask() -> None:
    brush = pytest.importorskip("label_studio_converter.brush")
    values = np.random.default_rng(3).integers(0, 5, (30, 50)).astype(np.uint8)
    values[5:25, 8:44] = 1
    label = panoptic_map(values)
    for one in label.table:
        data = brush_rle(runs_by_row(label, one), values.size)
        assert np.array_equal(
            brush_mask(data, values.shape, brush.decode_rle), mask_of(values, one.id)
        )
