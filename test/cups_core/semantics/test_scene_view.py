from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.semantics.scene_view import SURFACE_CHANNELS, SceneView


def view(height: int, width: int) -> SceneView:
    random = np.random.default_rng(height * 1000 + width)
    return SceneView(
        random.integers(0, 256, (height, width, 3), np.uint8),
        random.random((height, width), np.float32),
        random.random((height, width, len(SURFACE_CHANNELS)), np.float32),
    )


def test_a_halved_image_has_the_means_of_two_by_two_pixels_and_its_geometry_is_not_mixed() -> None:
    whole = view(7, 10)
    half = whole.halved()
    expected = whole.image[:6].astype(np.float32).reshape(3, 2, 5, 2, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(half.image, expected)
    np.testing.assert_array_equal(half.depth_m, whole.depth_m[:6:2, ::2])


def test_mirroring_twice_gives_the_view_again() -> None:
    whole = view(6, 9)
    again = whole.mirrored().mirrored()
    np.testing.assert_array_equal(again.image, whole.image)
    np.testing.assert_array_equal(again.surface, whole.surface)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 9))
def test_padding_reaches_the_next_multiple_and_a_crop_undoes_it(
    height: int, width: int, multiple: int
) -> None:
    whole = view(height, width)
    padded = whole.padded(multiple)
    assert all(
        0 <= new - old < multiple for new, old in zip(padded.shape, whole.shape, strict=True)
    )
    assert all(side % multiple == 0 for side in padded.shape)
    np.testing.assert_array_equal(padded.crop(0, 0, width, height).image, whole.image)
    np.testing.assert_array_equal(padded.image[-1, -1], whole.image[-1, -1])


def test_a_crop_beyond_the_border_says_so() -> None:
    with pytest.raises(InputError, match=r"crop 4x4 at \(7, 0\) leaves the view of 10x7"):
        view(7, 10).crop(7, 0, 4, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"image": np.zeros((4, 5), np.uint8)},
        {"image": np.zeros((4, 5, 3), np.float64)},
        {"depth_m": np.zeros((4, 5), np.float64)},
        {"surface": np.zeros((4, 5, 2), np.float32)},
    ],
)
def test_maps_of_other_sizes_or_types_are_refused(change: dict[str, np.ndarray]) -> None:
    parts = {
        "image": np.zeros((4, 5, 3), np.uint8),
        "depth_m": np.zeros((4, 5), np.float32),
        "surface": None,
    }
    with pytest.raises(InputError, match="expected"):
        SceneView(**(parts | change))
