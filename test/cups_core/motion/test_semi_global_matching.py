"""Does stereo matching find known surfaces in both views, with unequal cameras, to the border?"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.consistency import disparity_consistency
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings

HEIGHT, WIDTH = 192, 384
BACKGROUND_PX, BOX_PX = 12, 40
BOX = (slice(60, 140), slice(160, 260))
SETTINGS = SemiGlobalMatchingSettings(range_px=64)


def wall(width: int = WIDTH) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    total = np.zeros((HEIGHT, width), np.float32)
    for scale in (2, 6, 20):
        rough = rng.normal(0, 1, (-(-HEIGHT // scale), -(-width // scale))).astype(np.float32)
        total += cv2.resize(rough, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def box_before_wall() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """Left and right image and the left disparity of a box in front of a wall."""
    texture = wall(WIDTH + BACKGROUND_PX)
    left, right = texture[:, :WIDTH].copy(), texture[:, BACKGROUND_PX:].copy()
    rows, columns = BOX
    box = wall()[::-1, ::-1][rows, columns]
    left[rows, columns] = box
    right[rows, columns.start - BOX_PX : columns.stop - BOX_PX] = box
    truth = np.full((HEIGHT, WIDTH), BACKGROUND_PX, np.float32)
    truth[rows, columns] = BOX_PX
    return left, right, truth


@pytest.mark.parametrize("downscale", [1, 2])
def test_a_box_before_a_wall_is_found_in_both_views(downscale: int) -> None:
    left, right, truth = box_before_wall()
    settings = SemiGlobalMatchingSettings(range_px=64, downscale=downscale)
    seen_left, seen_right = SemiGlobalMatching(settings).disparities(left, right)
    assert seen_left.dtype == seen_right.dtype == np.float32
    assert seen_left.shape == seen_right.shape == (HEIGHT, WIDTH)
    known = seen_left > 0
    assert known.mean() > 0.85
    assert (np.abs(seen_left - truth)[known] < 0.5).mean() > 0.95
    in_right = seen_right[80:120, 160 - BOX_PX + 8 : 260 - BOX_PX - 8]
    assert np.median(np.abs(in_right - BOX_PX)) < 0.25
    assert disparity_consistency(seen_left, seen_right).agrees.mean() > 0.8
    assert disparity_consistency(seen_right, seen_left, towards=1).agrees.mean() > 0.8


def test_a_slanted_road_has_no_steps() -> None:
    # Every row of a flat road has its own disparity; its fractions must come out, not whole pixels.
    texture = wall(WIDTH + 64)
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    truth = 6 + y / 6
    left = cv2.remap(texture, x, y, cv2.INTER_CUBIC)
    right = cv2.remap(texture, x + truth, y, cv2.INTER_CUBIC)
    seen_left, _ = SemiGlobalMatching(SETTINGS).disparities(left, right)
    inner = (slice(10, -10), slice(60, -10))
    assert (seen_left[inner] > 0).mean() > 0.98
    assert np.median(np.abs(seen_left - truth)[inner]) < 0.25


@pytest.mark.parametrize(("gain", "offset"), [(0.7, 0), (1.0, 40), (0.8, -20)])
def test_cameras_of_different_gain_and_offset_still_match(gain: float, offset: float) -> None:
    left, right, truth = box_before_wall()
    changed = np.clip(right * gain + offset, 0, 255).astype(np.uint8)
    seen_left, seen_right = SemiGlobalMatching(SETTINGS).disparities(left, changed)
    agrees = disparity_consistency(seen_left, seen_right).agrees
    assert agrees.mean() > 0.7
    assert (np.abs(seen_left - truth)[agrees] < 1).mean() > 0.95


def test_the_left_border_is_filled_as_far_as_the_right_camera_sees_it() -> None:
    left, right, _ = box_before_wall()
    seen_left, _ = SemiGlobalMatching(SETTINGS).disparities(left, right)
    column = seen_left[:, BACKGROUND_PX + 6 : 64]
    assert (column > 0).mean() > 0.9
    assert np.median(np.abs(column - BACKGROUND_PX)) < 0.5


def test_swapped_and_mirrored_images_swap_and_mirror_the_answer() -> None:
    left, right, _ = box_before_wall()
    matching = SemiGlobalMatching(SETTINGS)
    seen_left, seen_right = matching.disparities(left, right)
    mirrored = matching.disparities(
        np.ascontiguousarray(right[:, ::-1]), np.ascontiguousarray(left[:, ::-1])
    )
    assert np.array_equal(mirrored[0], seen_right[:, ::-1])
    assert np.array_equal(mirrored[1], seen_left[:, ::-1])


def test_an_image_without_texture_has_no_disparity() -> None:
    flat = np.full((HEIGHT, WIDTH), 120, np.uint8)
    seen_left, seen_right = SemiGlobalMatching(SETTINGS).disparities(flat, flat)
    assert not seen_left.any()
    assert not seen_right.any()


def test_the_same_images_give_the_same_disparities_with_any_number_of_threads() -> None:
    left, right, _ = box_before_wall()
    threads = cv2.getNumThreads()
    try:
        found = []
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            found.append(SemiGlobalMatching(SETTINGS).disparities(left, right))
    finally:
        cv2.setNumThreads(threads)
    for other in found[1:]:
        assert np.array_equal(other[0], found[0][0])
        assert np.array_equal(other[1], found[0][1])


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (75, 201)])
@pytest.mark.parametrize("downscale", [1, 2, 4])
def test_odd_and_small_images_keep_their_size(shape: tuple[int, int], downscale: int) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    settings = SemiGlobalMatchingSettings(range_px=128, downscale=downscale)
    seen_left, seen_right = SemiGlobalMatching(settings).disparities(image, image)
    assert seen_left.shape == seen_right.shape == shape


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (np.zeros((64, 64), np.uint8), np.zeros((60, 64), np.uint8), "64x64 and 64x60"),
        (np.zeros((64, 64), np.uint16), np.zeros((64, 64), np.uint16), "found uint16"),
        (np.zeros((8, 64), np.uint8), np.zeros((8, 64), np.uint8), "at least 32 px"),
    ],
)
def test_unfit_images_are_refused(
    left: NDArray[np.uint8], right: NDArray[np.uint8], message: str
) -> None:
    with pytest.raises(InputError, match=f"left and right image.*{message}"):
        SemiGlobalMatching().disparities(left, right)


def test_a_range_that_the_matcher_cannot_search_is_refused() -> None:
    with pytest.raises(InputError, match=r"multiple of 32 at downscale 2, found 80"):
        SemiGlobalMatching(SemiGlobalMatchingSettings(range_px=80))
