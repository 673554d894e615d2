"""Images of any size in the one size of a graph, and the winners of its logits back at theirs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.runtime.letterbox import Letterbox, check_image, fill
from cups_core.runtime.semantic_winners import winners
from cups_core.runtime.sidecar import ModelInput

PLACE = ModelInput("image", 128, 64, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0))


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_an_image_fits_and_touches_a_border(width: int, height: int) -> None:
    found = Letterbox.of(width, height, PLACE)
    assert 1 <= found.valid_width <= PLACE.width
    assert 1 <= found.valid_height <= PLACE.height
    assert found.valid_width == PLACE.width or found.valid_height == PLACE.height


def test_an_image_of_the_models_size_is_normalised_and_nothing_else() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    tensor = np.full((1, 3, 64, 128), np.nan, np.float32)
    fill(image, Letterbox.of(128, 64, PLACE), PLACE, tensor)
    expected = (image.astype(np.float32) - PLACE.mean) / PLACE.std
    np.testing.assert_allclose(tensor[0], expected.transpose(2, 0, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(300, 100), (40, 40), (64, 96)])
def test_the_padding_is_zero_after_an_image_of_another_shape(width: int, height: int) -> None:
    tensor = np.full((1, 3, 64, 128), np.nan, np.float32)
    image = np.full((height, width, 3), 200, np.uint8)
    box = Letterbox.of(width, height, PLACE)
    fill(image, box, PLACE, tensor)
    assert (tensor[0, :, box.valid_height :] == 0).all()
    assert (tensor[0, :, :, box.valid_width :] == 0).all()
    valid = tensor[0, :, : box.valid_height, : box.valid_width]
    np.testing.assert_allclose(valid, np.broadcast_to([[[95]], [[45]], [[34]]], valid.shape))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4), np.uint8), "repeat a gray image"),
        (np.zeros((4, 4, 3), np.float32), "multiply values"),
        (np.zeros((4, 4, 4), np.uint8), "expected uint8 RGB"),
        (np.zeros((0, 4, 3), np.uint8), "expected uint8 RGB"),
    ],
    ids=["gray", "float", "alpha", "empty"],
)
def test_an_image_of_another_type_is_refused(image: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_image(image)


def interpolated(logits: np.ndarray, box: Letterbox, stride: int) -> np.ndarray:
    """What PyTorch makes of logits when it enlarges to the input and the valid area is read."""
    torch = pytest.importorskip("torch")
    x, y = box.enlargement
    rows = ((np.arange(box.height) + 0.5) / (stride * y) * 2 / logits.shape[1]) - 1
    columns = ((np.arange(box.width) + 0.5) / (stride * x) * 2 / logits.shape[2]) - 1
    places = np.stack(np.broadcast_arrays(columns[None], rows[:, None]), -1)
    return torch.nn.functional.grid_sample(
        torch.from_numpy(logits)[None].double(),
        torch.from_numpy(places)[None],
        align_corners=False,
        padding_mode="border",
    )[0].numpy()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 200),
    st.integers(1, 150),
    st.integers(2, 9),
    st.sampled_from([0.0, 1.0, 4.0]),
    st.integers(0, 2**31),
)
def test_winners_are_those_of_enlarged_logits(
    width: int, height: int, channels: int, smoothness: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(size=(channels, 16, 32)).astype(np.float32)
    if smoothness:  # large areas of one winner, as real maps have
        logits = np.cumsum(np.cumsum(logits, 1), 2) / np.float32(smoothness)
    box = Letterbox.of(width, height, PLACE)
    enlarged = interpolated(logits, box, 4)
    found = winners(logits, box, 4)
    chosen = np.take_along_axis(enlarged, found[None].astype(np.intp), 0)[0]
    # Equal but for rounding: the winner's logit is the highest one.
    np.testing.assert_allclose(chosen, enlarged.max(0), atol=1e-4, rtol=1e-5)


def test_of_equal_channels_the_first_wins() -> None:
    box = Letterbox.of(128, 64, PLACE)
    assert not winners(np.ones((5, 16, 32), np.float32), box, 4).any()
