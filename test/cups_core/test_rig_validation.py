"""Faults that are put into a rendered stereo pair are measured and named; good pairs pass."""

from __future__ import annotations

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.rig_validation import EpipolarMeasure, RigFault, measure_drive, measure_epipolar

WIDTH, HEIGHT = 400, 240
Picture = NDArray[np.uint8]


def texture(seed: int) -> NDArray[np.float32]:
    """Blobs of several sizes, twice as wide as a picture."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            rng.standard_normal((HEIGHT // size, 2 * WIDTH // size)).astype(np.float32),
            (2 * WIDTH, HEIGHT),
            interpolation=cv2.INTER_CUBIC,
        )
        for size in (4, 10, 24)
    ]
    return np.clip(128 + 45 * sum(layers), 0, 255).astype(np.float32)


def pair(
    shift_px: float = 0.0, roll_deg: float = 0.0, stretch_percent: float = 0.0, seed: int = 1
) -> tuple[Picture, Picture]:
    """A ground with rising disparity; the right picture moved after it was taken."""
    scene = texture(seed)
    rows, columns = np.indices((HEIGHT, WIDTH), np.float32)
    left = cv2.remap(scene, columns + 100, rows, cv2.INTER_CUBIC)
    # Where each pixel of the moved right picture looks in the rectified one.
    y = rows - (HEIGHT - 1) / 2
    x = columns - (WIDTH - 1) / 2
    angle = np.radians(roll_deg)
    source_y = y - shift_px - np.sin(angle) * x - stretch_percent / 100 * y
    source_x = x + np.sin(angle) * y
    disparity = 4 + 30 * (source_y / HEIGHT + 0.5)
    right = cv2.remap(
        scene,
        (source_x + (WIDTH - 1) / 2 + disparity + 100).astype(np.float32),
        (source_y + (HEIGHT - 1) / 2).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return left.astype(np.uint8), right.astype(np.uint8)


def test_a_good_pair_passes() -> None:
    found = measure_epipolar(*pair())
    assert found.fault is None
    assert "rectified and in order" in found.verdict
    assert found.matches > 200
    assert abs(found.median_dy_px) < 0.05
    assert found.share_of_negative_disparity < 0.02


def test_color_and_gray_measure_alike() -> None:
    left, right = pair()
    color = measure_epipolar(np.dstack([left] * 3), np.dstack([right] * 3))
    gray = measure_epipolar(left, right)
    assert dataclasses.astuple(color) == pytest.approx(dataclasses.astuple(gray))


@settings(max_examples=12, deadline=None)
@given(st.floats(-4, 4), st.floats(-0.8, 0.8), st.integers(1, 1000))
def test_shift_and_roll_are_measured(shift_px: float, roll_deg: float, seed: int) -> None:
    found = measure_epipolar(*pair(shift_px, roll_deg, seed=seed))
    # The points' middle may lie beside the picture's, about which it is turned.
    beside = 0.25 * WIDTH * np.sin(np.radians(abs(roll_deg)))
    assert found.median_dy_px == pytest.approx(shift_px, abs=0.1 + beside)
    assert found.roll_deg == pytest.approx(roll_deg, abs=0.03)
    assert found.scatter_px < 0.2


@pytest.mark.parametrize(
    ("made", "fault", "words"),
    [
        ({"shift_px": 1.0}, RigFault.SHIFTED, "rows differ by 1.0. px .* calibrate"),
        ({"shift_px": -2.0}, RigFault.SHIFTED, "rows differ by -2.0. px"),
        ({"roll_deg": 0.3}, RigFault.ROLLED, "turned by 0.(29|30|31) degrees"),
        (
            {"stretch_percent": 1.5},
            RigFault.STRETCHED,
            "drift apart by 1.. %.* stamps.* focal lengths",
        ),
    ],
)
def test_a_moved_camera_is_named_with_what_to_do(
    made: dict[str, float], fault: RigFault, words: str
) -> None:
    found = measure_epipolar(*pair(**made))
    assert found.fault is fault
    assert re.search(words, found.verdict), found.verdict


def test_swapped_cameras_are_named_whatever_else_is_wrong() -> None:
    left, right = pair(shift_px=2.0)
    found = measure_epipolar(right, left)
    assert found.fault is RigFault.SWAPPED
    assert "exchange the two cameras" in found.verdict


def test_rows_that_no_tilt_explains_are_named() -> None:
    left, right = pair()
    rows, columns = np.indices((HEIGHT, WIDTH), np.float32)
    # A lens that was not undistorted, or a scene that moved towards one camera.
    bent = cv2.remap(right, columns, rows + 3 * np.sin(columns / 40), cv2.INTER_LINEAR)
    found = measure_epipolar(left, bent)
    assert found.fault is RigFault.SCATTERED
    assert "not rectified" in found.verdict
    assert "stamps" in found.verdict


def test_a_quarter_of_passers_by_does_not_make_a_rig_faulty() -> None:
    left, right = pair()
    right[:, : WIDTH // 5] = np.roll(right[:, : WIDTH // 5], 3, axis=0)
    assert measure_epipolar(left, right).fault is None


def test_blank_pictures_cannot_be_judged() -> None:
    blank = np.zeros((HEIGHT, WIDTH), np.uint8)
    found = measure_epipolar(blank, blank)
    assert (found.matches, found.fault) == (0, RigFault.UNKNOWN)
    assert "only 0 points" in found.verdict
    left, _ = pair()
    assert measure_epipolar(left, pair(seed=9)[1]).fault is RigFault.UNKNOWN


def test_several_pairs_are_judged_together() -> None:
    pairs = [pair(seed=seed) for seed in (1, 2, 3)]
    together = measure_drive(pairs)
    assert together.matches == sum(measure_epipolar(*one).matches for one in pairs)
    assert json.loads(json.dumps(together.row()))["matches"] == together.matches
    assert isinstance(together, EpipolarMeasure)


def test_pictures_of_two_sizes_are_refused() -> None:
    left, right = pair()
    with pytest.raises(InputError, match=r"expected pictures of one size, found \[\(120, 400\)"):
        measure_epipolar(left, right[:120])
    with pytest.raises(InputError, match="found none"):
        measure_drive([])
