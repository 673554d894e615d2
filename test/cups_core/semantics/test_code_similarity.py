from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.semantics.code_similarity import log_probabilities


def bilinear(codes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Every channel enlarged by itself, pixel centres at halves, the border repeated."""
    _, rows, columns = codes.shape

    def weights(count: int, cells: int) -> np.ndarray:
        at = np.clip((np.arange(count) + 0.5) * cells / count - 0.5, 0, cells - 1)
        return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(cells)))

    return np.einsum("yi,dij,xj->dyx", weights(height, rows), codes, weights(width, columns))


def plainly(codes: np.ndarray, centroids: np.ndarray, height: int, width: int) -> np.ndarray:
    code = bilinear(codes.astype(np.float64), height, width)
    code /= np.linalg.norm(code, axis=0)
    unit = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    logits = 2 * np.einsum("cd,dyx->cyx", unit, code)
    return logits - np.log(np.exp(logits).sum(0))


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)
)
def test_it_equals_the_softmax_of_interpolated_codes(
    rows: int, columns: int, classes: int, height: int, width: int
) -> None:
    random = np.random.default_rng(rows * 7 + columns)
    codes = random.standard_normal((8, rows, columns)).astype(np.float32)
    centroids = random.standard_normal((classes, 8)).astype(np.float32)
    found = log_probabilities(codes, centroids, height, width)
    np.testing.assert_allclose(found, plainly(codes, centroids, height, width), atol=2e-5)


def test_probabilities_sum_to_one() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((100, 10, 20)).astype(np.float32)
    centroids = random.standard_normal((27, 100)).astype(np.float32)
    total = np.exp(log_probabilities(codes, centroids, 80, 160)).sum(0)
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_codes_and_centroids_of_different_dimension_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected \(D, h, w\) and \(C, D\)"):
        log_probabilities(np.zeros((3, 4, 5), np.float32), np.zeros((2, 4), np.float32), 8, 8)
