from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.semantics.code_similarity import log_probabilities
from cups_core.semantics.depth_guided import (
    fuse,
    low_resolution_codes,
    low_resolution_share,
    most_probable,
    semantic_log_probabilities,
    sliding_log_probabilities,
    window_corners,
)
from cups_core.semantics.scene_view import SceneView

CENTROIDS = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)


class MeanColours:
    """Codes are the mean colours of cells, less gray; with the mean of the view where asked."""

    def __init__(self, is_local: bool, cell_px: int = 4) -> None:
        self.is_local = is_local
        self.cell_px = cell_px
        self.seen: list[tuple[int, int, int]] = []

    def codes(self, views: Sequence[SceneView]) -> np.ndarray:
        cell = self.cell_px
        self.seen.append((len(views), *views[0].shape))
        made = []
        for view in views:
            height, width = view.shape
            image = view.image.astype(np.float32) - 127.0
            cells = image.reshape(height // cell, cell, width // cell, cell, 3).mean(axis=(1, 3))
            made.append((cells if self.is_local else cells + image.mean()).transpose(2, 0, 1))
        return np.stack(made)


def view(height: int, width: int, depth_m: float = 10.0) -> SceneView:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return SceneView(image, np.full((height, width), depth_m, np.float32))


@given(st.integers(4, 60), st.integers(4, 90))
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int) -> None:
    side = min(height // 2, width)
    covered = np.zeros((height, width), bool)
    for left, top in window_corners(height, width, side):
        assert left >= 0 <= top
        window = covered[top : top + side, left : left + side]
        assert window.shape == (side, side)
        window[:] = True
    assert covered.all()


def test_a_street_frame_is_cut_into_the_21_windows_of_the_paper() -> None:
    corners = window_corners(640, 1280, 320)
    assert len(corners) == 21
    assert sorted({top for _, top in corners}) == [0, 160, 320]


def test_overlapping_windows_are_averaged() -> None:
    seen = view(16, 32)
    extractor = MeanColours(is_local=False)
    total, count = np.zeros((5, 16, 32)), np.zeros((16, 32))
    for left, top in window_corners(16, 32, 8):
        crop = extractor.codes([seen.crop(left, top, 8, 8)])[0]
        total[:, top : top + 8, left : left + 8] += log_probabilities(crop, CENTROIDS, 8, 8)
        count[top : top + 8, left : left + 8] += 1
    found = sliding_log_probabilities(seen, extractor, CENTROIDS)
    np.testing.assert_allclose(found, total / count, atol=1e-5)


def test_a_local_extractor_sees_the_view_once() -> None:
    extractor = MeanColours(is_local=True)
    sliding_log_probabilities(view(16, 32), extractor, CENTROIDS)
    assert extractor.seen == [(1, 16, 32)]


def test_the_low_resolution_averages_a_view_and_its_mirror_image() -> None:
    class Columns(MeanColours):
        """The code says how far to the left of the view a cell lies."""

        def codes(self, views: Sequence[SceneView]) -> np.ndarray:
            plain = super().codes(views)
            return plain * 0 + np.arange(plain.shape[3], dtype=np.float32)

    codes = low_resolution_codes(view(16, 32), Columns(is_local=False))
    np.testing.assert_allclose(codes, 1.5)  # the mean of 0..3 and 3..0


def test_near_pixels_trust_the_low_resolution_and_unknown_depth_neither() -> None:
    share = low_resolution_share(np.array([[0.0, 5.5, 70.0, np.nan]], np.float32))
    np.testing.assert_allclose(share, [[1.0, 1 / 6.5, 1 / 71, 0.5]], rtol=1e-6)


def test_fusion_is_a_weighted_mean_of_log_probabilities() -> None:
    random = np.random.default_rng(0)
    low, high = random.standard_normal((2, 3, 4, 5)).astype(np.float32)
    share = random.random((4, 5)).astype(np.float32)
    expected = share * low + (1 - share) * high
    fuse(low, high, share)
    np.testing.assert_allclose(high, expected, atol=1e-6)
    with pytest.raises(InputError, match="one shape"):
        fuse(low[:, 1:], high, share)


def test_without_guidance_depth_changes_nothing_and_with_it_it_does() -> None:
    extractor = MeanColours(is_local=False)
    results = {
        (guided, depth): semantic_log_probabilities(
            view(16, 32, depth), extractor, CENTROIDS, depth_guidance=guided
        )
        for guided in (False, True)
        for depth in (1.0, 50.0)
    }
    np.testing.assert_array_equal(results[False, 1.0], results[False, 50.0])
    assert np.abs(results[True, 1.0] - results[True, 50.0]).max() > 0.01
    near_to_none = np.abs(results[True, 50.0] - results[False, 50.0]).max()
    assert near_to_none < np.abs(results[True, 1.0] - results[False, 1.0]).max()


@pytest.mark.parametrize("size", [(16, 32), (37, 51), (33, 90)])
def test_any_size_of_frame_is_labelled_at_its_own_size(size: tuple[int, int]) -> None:
    found = semantic_log_probabilities(view(*size), MeanColours(is_local=False), CENTROIDS)
    assert found.shape == (5, *size)
    assert np.isfinite(found).all()


def test_the_most_probable_class_is_the_largest_value() -> None:
    values = np.random.default_rng(3).standard_normal((30, 9, 11)).astype(np.float32)
    np.testing.assert_array_equal(most_probable(values), values.argmax(0))
