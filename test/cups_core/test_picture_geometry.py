"""A smaller picture shows the same points at the pixels that its rig says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.picture_geometry import PictureGeometry
from cups_core.rig import StereoRig

WIDTH, HEIGHT = 160, 120
RIG = StereoRig(np.array([[150.0, 0, 81.3], [0, 149.0, 57.9], [0, 0, 1]]), 0.3, WIDTH, HEIGHT)
SPOT_PX = 3.0


def spot(rig: StereoRig, x: float, y: float) -> np.ndarray:
    rows, columns = np.indices(rig.shape)
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SPOT_PX**2))
    return (255 * light).round().astype(np.uint8)


def centre(picture: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(picture.shape)
    weight = picture.astype(float)
    return float((weight * columns).sum() / weight.sum()), float(
        (weight * rows).sum() / weight.sum()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.floats(45, 110),
    st.floats(40, 75),
    st.floats(1, 40),
    st.tuples(st.integers(0, 20), st.integers(0, 15), st.integers(0, 20), st.integers(0, 15)),
    st.floats(0.4, 1.0),
    st.floats(0.4, 1.0),
)
def test_a_point_is_where_the_smaller_rig_projects_it(
    x: float,
    y: float,
    depth: float,
    margins: tuple[int, int, int, int],
    width_scale: float,
    height_scale: float,
) -> None:
    left, top, right, bottom = margins
    crop = (left, top, WIDTH - left - right, HEIGHT - top - bottom)
    size = (round(crop[2] * width_scale), round(crop[3] * height_scale))
    geometry = PictureGeometry(crop, size)
    point = np.array([(x - RIG.cx) / RIG.fx * depth, (y - RIG.cy) / RIG.fy * depth, depth])
    smaller = geometry.rig(RIG)
    picture = geometry.picture(spot(RIG, x, y))
    assert picture.shape == smaller.shape
    assert centre(picture) == pytest.approx(tuple(smaller.project(point)), abs=0.06)
    # The disparity shrinks with the width, the depth stays.
    other = point - [RIG.baseline_m, 0, 0]
    disparity = smaller.project(point)[0] - smaller.project(other)[0]
    assert float(smaller.depth(np.array([disparity]))[0]) == pytest.approx(depth, rel=1e-4)


def test_resizing_does_not_alias() -> None:
    stripes = np.zeros((HEIGHT, WIDTH), np.uint8)
    stripes[:, ::2] = 255
    small = PictureGeometry(size=(WIDTH // 4, HEIGHT // 4)).picture(stripes)
    assert np.ptp(small.astype(int)) <= 1
    assert abs(int(small[0, 0]) - 128) <= 1


def test_color_keeps_its_channels() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    found = PictureGeometry((10, 20, 80, 60), (40, 30)).picture(picture)
    expected = picture[20:80, 10:90].reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, expected, atol=0.76)


def test_without_crop_and_size_nothing_changes() -> None:
    geometry = PictureGeometry()
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    assert geometry.is_identity
    assert geometry.picture(picture) is picture
    assert geometry.rig(RIG) is RIG
    assert not PictureGeometry(size=(10, 10)).is_identity


@pytest.mark.parametrize("crop", [(-1, 0, 10, 10), (0, 0, WIDTH + 1, 10), (0, 111, 10, 10)])
def test_a_crop_that_leaves_the_picture_is_refused(crop: tuple[int, int, int, int]) -> None:
    geometry = PictureGeometry(crop)
    with pytest.raises(InputError, match="leaves the image of 160x120"):
        geometry.picture(np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(InputError, match="leaves the image of 160x120"):
        geometry.rig(RIG)


@pytest.mark.parametrize("size", [(WIDTH + 1, 10), (10, HEIGHT + 1), (0, 10)])
def test_a_size_that_is_no_smaller_one_is_refused(size: tuple[int, int]) -> None:
    geometry = PictureGeometry(size=size)
    with pytest.raises(InputError, match="size: expected at most 160x120, found"):
        geometry.picture(np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(InputError, match="size: expected at most 160x120, found"):
        geometry.rig(RIG)
