from __future__ import annotations

import zlib

import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_training.deflate import BLOCK_BYTES, compressed
from cups_training.png import encode_png


def read_back(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., ::-1]


def smooth(height: int, width: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(large, random.integers(0, 4, large.shape, dtype=np.uint8))


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(
    st.one_of(
        arrays.arrays(np.uint8, shapes),
        arrays.arrays(np.uint8, shapes.map(lambda shape: (*shape, 3))),
    )
)
@settings(max_examples=60, deadline=None)
def test_opencv_reads_what_was_written(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(read_back(encode_png(picture)), picture)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (480, 640), (375, 1242)])
def test_photographs_come_back(height: int, width: int) -> None:
    picture = smooth(height, width, seed=height)
    np.testing.assert_array_equal(read_back(encode_png(picture)), picture)


def test_a_view_with_strides_is_stored_as_it_looks() -> None:
    picture = smooth(60, 80, seed=1)[::2, 10:50]
    np.testing.assert_array_equal(read_back(encode_png(picture)), picture)


def test_photographs_are_no_larger_than_those_of_opencv() -> None:
    picture = smooth(480, 640, seed=2)
    done, usual = cv2.imencode(".png", picture[..., ::-1])
    assert done
    assert len(encode_png(picture)) <= 1.02 * len(usual)


def test_black_costs_next_to_nothing() -> None:
    assert len(encode_png(np.zeros((480, 640, 3), np.uint8))) < 10_000


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint16), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="PNG: expected"):
        encode_png(picture)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.integers(1, 700)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_zlib_reads_runs_of_any_length(runs: list[tuple[bytes, int]]) -> None:
    data = b"".join(value * count for value, count in runs)
    assert zlib.decompress(compressed(np.frombuffer(data, np.uint8))) == data


@pytest.mark.parametrize("size", [BLOCK_BYTES + more for more in (-1, 0, 1, 300)])
def test_runs_go_on_across_blocks(size: int) -> None:
    data = np.full(size, 7, np.uint8)
    assert zlib.decompress(compressed(data)) == data.tobytes()


def test_rare_symbols_get_codes_of_fifteen_bits_at_most() -> None:
    # Frequencies like Fibonacci's numbers ask for the longest codes there are.
    counts = [1, 1]
    while sum(counts) < 3 * BLOCK_BYTES:
        counts.append(counts[-1] + counts[-2])
    values = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    data = np.random.default_rng(0).permutation(values)
    assert zlib.decompress(compressed(data)) == data.tobytes()
