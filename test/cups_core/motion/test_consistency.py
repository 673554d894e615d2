"""Does following a map there and back give what an independent warp says?"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.consistency import disparity_consistency, flow_consistency

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(2, 24)


def smooth_noise(rng: np.random.Generator, *shape: int, size: float) -> NDArray[np.float32]:
    return (rng.normal(0, size, shape) + rng.normal(0, size)).astype(np.float32)


def pixels(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


# The first example waits for the compiler.
@settings(deadline=None)
@given(seeds, sides, sides, st.sampled_from([0.3, 2.0, 15.0]))
def test_flow_error_is_that_of_opencv_remap(
    seed: int, height: int, width: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    forward = smooth_noise(rng, height, width, 2, size=size)
    backward = smooth_noise(rng, height, width, 2, size=size)
    x, y = pixels(height, width)
    to_x, to_y = x + forward[..., 0], y + forward[..., 1]
    inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    # remap interpolates in steps of 1/32 pixel.
    back = cv2.remap(backward, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    expected = np.linalg.norm(forward + back, axis=2)

    found = flow_consistency(forward, backward)

    assert np.array_equal(np.isfinite(found.error_px), inside)
    steepest = max(np.ptp(backward), 1e-3)
    assert np.allclose(found.error_px[inside], expected[inside], atol=steepest * 2 / 32)
    assert not found.agrees[~inside].any()


@settings(deadline=None)
@given(seeds, st.floats(-6, 6, width=32), st.floats(-6, 6, width=32))
def test_a_shift_and_its_opposite_agree_wherever_the_way_stays_inside(
    seed: int, u: float, v: float
) -> None:
    forward = np.full((12, 15, 2), (u, v), np.float32)
    x, y = pixels(12, 15)
    inside = (x + np.float32(u) >= 0) & (x + np.float32(u) <= 14)
    inside &= (y + np.float32(v) >= 0) & (y + np.float32(v) <= 11)
    found = flow_consistency(forward, -forward)
    assert np.array_equal(found.agrees, inside)
    assert np.nanmax(found.error_px, initial=0) < 1e-4


@settings(deadline=None)
@given(seeds)
def test_an_affine_flow_comes_back_without_error(seed: int) -> None:
    # Bilinear interpolation is exact for it, half a pixel of misplaced centres is not.
    rng = np.random.default_rng(seed)
    A, shift = np.eye(2) + rng.normal(0, 0.05, (2, 2)), rng.normal(0, 2, 2)
    inverse = np.linalg.inv(A)
    points = np.stack(pixels(20, 30), axis=-1).astype(np.float64)
    forward = (points @ A.T + shift - points).astype(np.float32)
    backward = ((points - shift) @ inverse.T - points).astype(np.float32)
    assert np.nanmax(flow_consistency(forward, backward).error_px, initial=0) < 1e-3


def test_the_tolerance_grows_with_the_motion() -> None:
    backward = np.full((4, 64, 2), (-30.0, 0.0), np.float32)
    deviation = np.array([0.5, 0.8, 4.0, 5.0], np.float32)
    fast = np.zeros((4, 64, 2), np.float32)
    fast[..., 0] = 30 + deviation[:, None]
    assert flow_consistency(fast, backward).agrees[:, 0].tolist() == [True, True, True, False]
    slow = np.zeros((4, 64, 2), np.float32)
    slow[..., 0] = deviation[:, None]
    still = np.zeros_like(slow)
    assert flow_consistency(slow, still).agrees[:, 0].tolist() == [True, False, False, False]


def test_an_unknown_flow_is_no_agreement() -> None:
    forward, backward = np.zeros((5, 6, 2), np.float32), np.zeros((5, 6, 2), np.float32)
    forward[1, 1, 0] = np.nan
    backward[3, 4, 1] = np.nan
    found = flow_consistency(forward, backward)
    assert np.isnan(found.error_px[[1, 3], [1, 4]]).all()
    assert not found.agrees[[1, 3], [1, 4]].any()


@settings(deadline=None)
@given(seeds, sides, sides, st.sampled_from([-1, 1]))
def test_disparity_error_is_that_of_linear_interpolation_in_the_row(
    seed: int, height: int, width: int, towards: int
) -> None:
    rng = np.random.default_rng(seed)
    there = rng.uniform(0.01, 8, (height, width)).astype(np.float32)
    back = rng.uniform(0.01, 8, (height, width)).astype(np.float32)
    x, _ = pixels(height, width)
    to_x = x + np.float32(towards) * there
    inside = (to_x >= 0) & (to_x <= width - 1)
    columns = np.arange(width)
    expected = np.stack([np.interp(to, columns, row) for to, row in zip(to_x, back, strict=True)])
    expected = np.abs(there - expected)

    found = disparity_consistency(there, back, towards)

    assert np.array_equal(np.isfinite(found.error_px), inside)
    assert np.allclose(found.error_px[inside], expected[inside], atol=1e-4)
    tolerance = 0.01 * (there**2 + (there + expected) ** 2) + 0.5
    assert found.agrees[inside & (expected**2 < 0.5)].all()
    assert not found.agrees[inside & (expected**2 > tolerance + 1e-3)].any()


@pytest.mark.parametrize("towards", [-1, 1])
def test_an_unknown_disparity_is_no_agreement_on_either_side(towards: int) -> None:
    there, back = np.full((3, 30), 4.5, np.float32), np.full((3, 30), 4.5, np.float32)
    there[0] = 0
    back[1] = 0
    found = disparity_consistency(there, back, towards)
    assert np.isnan(found.error_px[:2]).all()
    assert not found.agrees[:2].any()
    assert found.agrees[2].sum() == 30 - 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((8, 9, 2), np.float32), np.zeros((8, 8, 2), np.float32)),
        (np.zeros((8, 9, 2), np.float64), np.zeros((8, 9, 2), np.float64)),
        (np.zeros((8, 9), np.float32), np.zeros((8, 9), np.float32)),
        (np.zeros((1, 9, 2), np.float32), np.zeros((1, 9, 2), np.float32)),
    ],
)
def test_unfit_flows_are_refused(first: NDArray[np.float32], second: NDArray[np.float32]) -> None:
    with pytest.raises(InputError, match="flow: expected float32"):
        flow_consistency(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((8, 9), np.float32), np.zeros((9, 8), np.float32)),
        (np.zeros((8, 9), np.int16), np.zeros((8, 9), np.int16)),
        (np.zeros((8, 9, 1), np.float32), np.zeros((8, 9, 1), np.float32)),
    ],
)
def test_unfit_disparities_are_refused(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> None:
    with pytest.raises(InputError, match="disparity: expected float32"):
        disparity_consistency(first, second)
