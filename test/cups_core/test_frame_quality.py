"""Sharpness, exposure and thumbnails of pictures."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frame_quality import FrameQuality, difference, measure

Gray = NDArray[np.uint8]


def scene(width: int = 640, height: int = 320, seed: int = 0) -> Gray:
    """Bright sky above, a gray road below, boxes of all sizes between."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width), 200, np.uint8)
    picture[height // 2 :] = 90
    for _ in range(120):
        x, y = rng.integers(0, width), rng.integers(height // 4, 3 * height // 4)
        size = rng.integers(width // 60, width // 12)
        picture[y : y + size, x : x + size // 2] = rng.integers(20, 235)
    return picture


def noisy(picture: NDArray[Any], sigma: float, seed: int = 0) -> Gray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def blurred(picture: Gray, share_of_width: float) -> Gray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), share_of_width * picture.shape[1]))


def test_blur_lowers_the_sharpness_step_by_step() -> None:
    found = [
        measure(blurred(scene(), share) if share else scene()).sharpness
        for share in (0, 0.002, 0.004, 0.008)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.6
    assert found[3] < 0.2


@pytest.mark.parametrize("kernel", [(17, 1), (1, 17)], ids=["sideways", "up and down"])
def test_motion_blurs_in_either_direction_alike(kernel: tuple[int, int]) -> None:
    assert measure(np.asarray(cv2.blur(scene(), kernel))).sharpness < 0.25


@pytest.mark.parametrize("change", ["dim", "small", "large", "noise", "mostly sky"])
def test_one_threshold_tells_sharp_from_blurred_whatever_the_camera(change: str) -> None:
    def seen(picture: Gray) -> Gray:
        if change == "dim":
            return (picture * 0.3).astype(np.uint8)
        if change in ("small", "large"):
            scale = 0.75 if change == "small" else 3
            return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale))
        if change == "mostly sky":
            return np.vstack(
                [np.full((2 * len(picture), picture.shape[1]), 250, np.uint8), picture]
            )
        return noisy(picture, 4)

    assert measure(seen(scene())).sharpness > 0.4
    assert measure(seen(blurred(scene(), 0.006))).sharpness < 0.25


def test_a_picture_without_an_edge_has_no_sharpness() -> None:
    assert measure(np.full((240, 320), 77, np.uint8)).sharpness == 0.0


def test_exposure_is_counted_exactly() -> None:
    picture = np.full((100, 200), 100, np.uint8)
    picture[:25] = 6
    picture[25:30] = 249
    found = measure(picture)
    assert (found.dark_share, found.bright_share) == (0.25, 0.05)
    assert found.brightness == pytest.approx((0.25 * 6 + 0.05 * 249 + 0.7 * 100) / 255, abs=1e-4)


@settings(deadline=None)  # the first call compiles
@given(st.integers(36, 90), st.integers(64, 200), st.integers(0, 2**32 - 1))
def test_the_thumbnail_holds_the_means_of_its_cells(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    cells = np.frombuffer(measure(picture).thumbnail, np.uint8).reshape(18, 32)
    expected = [
        [
            picture[
                r * height // 18 : (r + 1) * height // 18, c * width // 32 : (c + 1) * width // 32
            ].mean()
            for c in range(32)
        ]
        for r in range(18)
    ]
    assert np.abs(cells - np.array(expected)).max() <= 0.5


@settings(deadline=None)  # the first call compiles
@given(st.floats(0.6, 1.25), st.integers(-12, 12), st.integers(0, 5))
def test_exposure_and_noise_are_no_change(gain: float, offset: int, seed: int) -> None:
    picture = scene(seed=seed) * 0.8
    before = noisy(picture, 3, 1)
    after = noisy((picture * gain + offset).clip(0, 255), 3, 2)
    assert difference(measure(before), measure(after)) <= 2 / 576


def test_a_shift_by_a_pixel_is_no_change_and_a_shift_by_many_is() -> None:
    before = measure(scene(1280, 640))
    assert difference(before, measure(np.roll(scene(1280, 640), 1, 1))) == 0
    assert difference(before, measure(np.roll(scene(1280, 640), 40, 1))) > 0.1


def test_a_distant_walker_is_a_change() -> None:
    picture = scene(1242, 375)
    walked = picture.copy()
    walked[300:330, 600:612] = 20
    assert 1 / 576 <= difference(measure(picture), measure(walked)) <= 6 / 576


def test_a_large_vehicle_changes_no_more_than_it_covers() -> None:
    picture = scene(seed=3)
    passed = picture.copy()
    passed[110:250, 200:420] = 240
    share = 140 * 220 / picture.size
    assert 0.5 * share < difference(measure(picture), measure(passed)) < 1.6 * share


@pytest.mark.parametrize("shape", [(36, 64), (40, 4000), (3000, 64)])
def test_pictures_of_any_shape_are_measured(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(90, 110, shape).astype(np.uint8)
    found = measure(picture)
    assert found.brightness == pytest.approx(picture.mean() / 255, abs=1e-4)
    assert 90 <= found.cells.min() <= found.cells.max() <= 110


def test_a_row_of_json_gives_the_same_measures() -> None:
    found = measure(scene())
    assert FrameQuality.from_row(json.loads(json.dumps(found.row() | {"stamp_ns": 1}))) == found


def test_a_broken_row_and_a_wrong_picture_are_explained() -> None:
    row = measure(scene()).row()
    for broken in ({"sharpness": None}, {"thumbnail": "AAAA"}, {"thumbnail": "no base64"}):
        with pytest.raises(InputError, match="extract the drive again"):
            FrameQuality.from_row(row | broken)
    for picture in (np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint16)):
        with pytest.raises(InputError, match="gray uint8"):
            measure(picture)
    with pytest.raises(InputError, match="64x36"):
        measure(np.zeros((20, 20), np.uint8))


def test_the_measures_of_a_known_picture_never_change() -> None:
    levels = (np.arange(40 * 80, dtype=np.int64) * 2654435761 % 2**32) >> 24
    steps = np.kron(levels.reshape(40, 80), np.ones((9, 16), np.int64))
    ramps = sum(np.roll(steps, (k, k), (0, 1)) for k in range(4)) // 4
    found = measure(ramps.astype(np.uint8))
    digest = hashlib.sha256(json.dumps(found.row()).encode()).hexdigest()
    assert (found.sharpness, found.brightness, digest[:16]) == (0.412, 0.499, "6caf3db1e6cdee72")
