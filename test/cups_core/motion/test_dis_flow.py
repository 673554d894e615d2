"""Does the flow find known motions, the same way every time, and does it survive bad input?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings

HEIGHT, WIDTH = 160, 256


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Noise of several scales, as natural images have it."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for scale in (1, 4, 16):
        rough = rng.normal(0, 1, (-(-height // scale), -(-width // scale))).astype(np.float32)
        total += cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * total, 0, 255).astype(np.uint8)


def moved(image: NDArray[np.uint8], flow: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The first image whose flow to `image` is `flow`."""
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in image.shape[1::-1]))
    found = cv2.remap(
        image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(found, np.uint8)


def zoom_and_turn() -> NDArray[np.float32]:
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    x, y = x - WIDTH / 2, y - HEIGHT / 2
    return np.stack([0.04 * x - 0.02 * y + 3, 0.04 * y + 0.02 * x - 2], axis=-1)


def interior(values: NDArray[np.float32], margin: int = 24) -> NDArray[np.float32]:
    return values[margin:-margin, margin:-margin]


def test_a_zoom_with_a_turn_is_found_to_a_quarter_of_a_pixel() -> None:
    truth, second = zoom_and_turn(), texture(1)
    found = DisFlow().flow(moved(second, truth), second)
    assert found.dtype == np.float32
    assert found.shape == (HEIGHT, WIDTH, 2)
    assert np.median(interior(np.linalg.norm(found - truth, axis=2))) < 0.25


def test_colour_images_give_the_flow_of_their_gray_versions() -> None:
    rng = np.random.default_rng(2)
    second = np.stack([texture(int(n)) for n in rng.integers(0, 99, 3)], axis=-1)
    first = np.roll(second, 3, axis=1)
    in_gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (first, second)]
    assert np.array_equal(DisFlow().flow(first, second), DisFlow().flow(*in_gray))


def test_a_dark_scene_gives_as_good_a_flow_as_a_bright_one() -> None:
    truth, second = zoom_and_turn(), texture(3) // 8
    found = DisFlow().flow(moved(second, truth), second)
    assert np.median(interior(np.linalg.norm(found - truth, axis=2))) < 0.5


def test_a_first_guess_carries_over_a_motion_that_the_pyramid_misses() -> None:
    # A fence: every shift by its period looks alike, only the guess says which is right.
    picket = np.tile(np.repeat([60, 200], 8), WIDTH // 16 + 8).astype(np.uint8)
    fence = np.clip(texture(4) // 8 + picket[None, :WIDTH], 0, 255).astype(np.uint8)
    truth = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    truth[..., 0] = 38
    first = moved(fence, truth)
    guess = truth + np.float32(1.5)
    blind, guided = DisFlow().flow(first, fence), DisFlow().flow(first, fence, guess)
    errors = [
        float(np.median(np.linalg.norm(found - truth, axis=2)[40:-40, 40:-80]))
        for found in (blind, guided)
    ]
    assert errors[0] > 3 > 0.5 > errors[1]


def test_a_wrong_first_guess_is_dropped() -> None:
    truth, second = zoom_and_turn(), texture(5)
    guess = np.random.default_rng(0).normal(0, 20, truth.shape).astype(np.float32)
    found = DisFlow().flow(moved(second, truth), second, guess)
    assert np.median(interior(np.linalg.norm(found - truth, axis=2))) < 0.5


def test_what_came_before_changes_nothing() -> None:
    used, guess = DisFlow(), np.full((HEIGHT, WIDTH, 2), 9, np.float32)
    first, second = texture(6), np.roll(texture(6), 2, axis=0)
    small = [np.ascontiguousarray(image[:96, :128]) for image in (first, second)]
    expected = DisFlow().flow(first, second)
    expected_small = DisFlow().flow(*small)
    for _ in range(2):
        used.flow(second, first, guess)
        assert np.array_equal(used.flow(first, second), expected)
        assert np.array_equal(used.flow(*small), expected_small)
    assert (guess == 9).all()


def test_threads_share_one_estimator() -> None:
    shared, images = DisFlow(), [texture(seed) for seed in range(7)]
    pairs = [(images[i], np.roll(images[i + 1], i, axis=1)) for i in range(6)] * 2
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda pair: shared.flow(*pair), pairs))
    for flow, pair in zip(found, pairs, strict=True):
        assert np.array_equal(flow, DisFlow().flow(*pair))


@pytest.mark.parametrize("shape", [(32, 32), (33, 400), (400, 35), (61, 77)])
@pytest.mark.parametrize("finest_scale", [0, 1, 2])
def test_odd_and_small_images_have_a_flow(shape: tuple[int, int], finest_scale: int) -> None:
    image = texture(7, *shape)
    found = DisFlow(DisFlowSettings(finest_scale=finest_scale)).flow(image, image)
    assert found.shape == (*shape, 2)
    assert np.abs(found).max() < 0.01


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8), "64x64 and 65x64"),
        (np.zeros((64, 64), np.float32), np.zeros((64, 64), np.uint8), "found float32"),
        (np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64, 4), np.uint8), r"\(64, 64, 4\)"),
        (np.zeros((64, 31), np.uint8), np.zeros((64, 31), np.uint8), "at least 32 px"),
    ],
)
def test_unfit_images_are_refused(
    first: NDArray[np.uint8], second: NDArray[np.uint8], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DisFlow().flow(first, second)


@pytest.mark.parametrize(
    ("guess", "message"),
    [
        (np.zeros((64, 64, 2), np.float64), "found float64"),
        (np.zeros((64, 60, 2), np.float32), r"\(64, 60, 2\)"),
        (np.full((64, 64, 2), np.nan, np.float32), "8192 others"),
        (np.full((64, 64, 2), np.inf, np.float32), "finite"),
    ],
)
def test_an_unfit_first_guess_is_refused(guess: NDArray[np.float32], message: str) -> None:
    image = texture(8, 64, 64)
    with pytest.raises(InputError, match=message):
        DisFlow().flow(image, image, guess)
