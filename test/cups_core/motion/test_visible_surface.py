"""Is the visible surface of a plane its size, however it is turned, and is noise no slope?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.motion.visible_surface import visible_surface_m2

from .scenes import RIG

COLUMNS, ROWS = (axis.ravel().astype(float) for axis in np.meshgrid(range(80, 140), range(90, 130)))


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(4, 25))
def test_a_plane_has_the_sum_of_its_triangles(side: float, top: float, depth_m: float) -> None:
    # side x + top y + z = depth_m
    x, y = (COLUMNS - RIG.cx) / RIG.fx, (ROWS - RIG.cy) / RIG.fy
    corners = []
    for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)):
        ray = np.stack([x + dx / RIG.fx, y + dy / RIG.fy, np.ones(len(x))], 1)
        corners.append(ray * (depth_m / (ray @ [side, top, 1.0]))[:, None])
    a, b, c, d = corners
    triangles = np.cross(b - a, c - a), np.cross(b - d, c - d)
    expected = 0.5 * sum(np.linalg.norm(each, axis=1).sum() for each in triangles)
    disparity = RIG.focal_baseline * (side * x + top * y + 1.0) / depth_m
    found = visible_surface_m2(COLUMNS, ROWS, disparity, 1.0, RIG)
    assert found == pytest.approx(expected, rel=0.05 + 0.02 * depth_m)


def test_noise_far_away_does_not_enlarge_a_surface() -> None:
    random = np.random.default_rng(0)
    few = slice(0, 40)
    disparity = 4.0 + random.normal(0, 0.5, 40)
    found = visible_surface_m2(COLUMNS[few], ROWS[few], disparity, 1.0, RIG)
    flat = visible_surface_m2(COLUMNS[few], ROWS[few], np.full(40, 4.0), 1.0, RIG)
    assert found == pytest.approx(flat, rel=0.1)


def test_each_point_counts_as_many_pixels_as_it_stands_for() -> None:
    disparity = np.full(len(ROWS), 12.0)
    one, four = (visible_surface_m2(COLUMNS, ROWS, disparity, px2, RIG) for px2 in (1.0, 4.0))
    assert four == pytest.approx(4 * one)
