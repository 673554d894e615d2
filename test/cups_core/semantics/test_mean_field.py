from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.semantics.mean_field import MeanField, MeanFieldSettings
from cups_core.semantics.permutohedral import build_lattice

STRIDES = pytest.mark.parametrize("stride", [1, 2, 3, 4])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return (logits - np.log(np.exp(logits).sum(0))).astype(np.float32)


def two_halves(slant: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A dark and a bright half, the border slanting by `slant` px, and which is which."""
    height, width = 60, 90
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    is_bright = columns >= 45 + slant * rows // height
    random = np.random.default_rng(0)
    image = np.where(is_bright[..., None], 180, 60) + random.normal(0, 1.5, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), is_bright


def field(stride: int) -> MeanField:
    return MeanField(MeanFieldSettings(stride=stride))


def test_the_lattice_filters_as_a_gaussian_does() -> None:
    random = np.random.default_rng(0)
    positions = (random.random((1500, 5)) * [3, 3, 5, 5, 5]).astype(np.float32)
    values = random.random((1500, 3)).astype(np.float32)
    lattice = build_lattice(positions)
    ones = np.ones((1500, 1), np.float32)
    found = lattice.sliced(lattice.blurred(values)) / lattice.sliced(lattice.blurred(ones))
    near = np.exp(-0.5 * ((positions[:, None] - positions) ** 2).sum(-1))
    expected = near @ values / near.sum(1, keepdims=True)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97
    np.testing.assert_allclose(lattice.weight.sum(1), 1.0, atol=1e-5)
    assert lattice.weight.min() > -1e-5


@STRIDES
def test_noise_in_the_probabilities_is_smoothed_away(stride: int) -> None:
    image, is_bright = two_halves()
    logits = np.stack([~is_bright * 1.0, is_bright * 1.0, is_bright * 0.0])
    noisy = log_softmax(logits + np.random.default_rng(1).normal(0, 1.0, logits.shape))
    assert (noisy.argmax(0) != is_bright).mean() > 0.2
    assert (field(stride).labels(noisy, image) != is_bright).mean() < 0.01


@STRIDES
def test_a_blurred_border_moves_to_the_edge_of_the_image(stride: int) -> None:
    image, is_bright = two_halves(slant=20)
    shifted = np.roll(is_bright, 5, axis=1)
    shifted[:, :5] = False
    found = field(stride).labels(log_softmax(np.stack([~shifted, shifted]) * 0.8), image)
    assert (shifted != is_bright).mean() > 0.04
    assert (found != is_bright).mean() < 0.012


@STRIDES
def test_sure_and_clean_labels_are_kept(stride: int) -> None:
    image, is_bright = two_halves()
    sure = log_softmax(np.stack([~is_bright, is_bright]) * 8.0)
    np.testing.assert_array_equal(field(stride).labels(sure, image), is_bright)


def test_a_uniform_image_with_uniform_probabilities_has_one_label() -> None:
    image = np.full((40, 50, 3), 90, np.uint8)
    weak = np.zeros((4, 40, 50), np.float32)
    weak[2] = 0.01
    assert set(np.unique(field(3).labels(log_softmax(weak), image))) == {2}


def test_a_coarse_grid_says_nearly_what_the_full_one_says() -> None:
    random = np.random.default_rng(4)
    image, is_bright = two_halves(slant=30)
    image[10:30, 10:30] = (200, 40, 40)
    logits = np.stack([~is_bright, is_bright, np.zeros_like(is_bright)]) * 1.0
    logits[2, 10:30, 10:30] = 1.5
    noisy = log_softmax(logits + random.normal(0, 0.7, logits.shape))
    exact = field(1).labels(noisy, image)
    for stride in (2, 3, 4):
        assert (field(stride).labels(noisy, image) == exact).mean() > 0.97


def test_the_same_input_gives_the_same_labels() -> None:
    image, is_bright = two_halves()
    noisy = log_softmax(np.random.default_rng(2).normal(0, 1, (6, *is_bright.shape)))
    first, second = (field(3).labels(noisy, image) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("log_probability", "image", "words"),
    [
        (np.zeros((2, 4, 5), np.float32), np.zeros((4, 5, 3), np.float32), "uint8"),
        (np.zeros((2, 4, 6), np.float32), np.zeros((4, 5, 3), np.uint8), r"\(C, 4, 5\)"),
        (np.zeros((300, 4, 5), np.float32), np.zeros((4, 5, 3), np.uint8), "1 to 255 classes"),
    ],
)
def test_what_does_not_fit_is_refused(
    log_probability: np.ndarray, image: np.ndarray, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        field(2).labels(log_probability, image)
