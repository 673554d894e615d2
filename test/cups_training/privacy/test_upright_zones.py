"""Zones over legs and trunks hold the head, in both pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.motion.ground_plane import GroundPlane
from cups_core.rig import StereoRig
from cups_training.privacy.regions import HEAD_ZONE, Region, Side
from cups_training.privacy.upright_zones import Band, Geometry, zones

RIG = StereoRig(np.array([[400.0, 0, 320], [0, 420.0, 160], [0, 0, 1]]), 0.5, 640, 320)
CAMERA_M = 1.5
HEADS = Band(1.2, 2.0, 0.35, 0.25, 8.0, HEAD_ZONE)
SLOPE = RIG.focal_baseline / RIG.fy / CAMERA_M
ROAD = GroundPlane(0.0, SLOPE, -SLOPE * RIG.cy, CAMERA_M)


def box(depth_m: float, across_m: float, half_m: float, low_m: float, high_m: float) -> NDArray:
    """Left, top, right, bottom of an upright board, pixels of the left picture."""
    corners = np.array(
        [
            [across_m - half_m, CAMERA_M - high_m, depth_m],
            [across_m + half_m, CAMERA_M - low_m, depth_m],
        ]
    )
    return RIG.project(corners).ravel()


def seen(depth_m: float, board: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Pixels of a board, and the disparity of road and board."""
    rows, columns = np.mgrid[:320, :640]
    left, top, right, bottom = board
    body = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
    road = ROAD.disparity(np.arange(640, dtype=np.float32), np.arange(320, dtype=np.float32))
    found = np.where(body, np.float32(RIG.focal_baseline / depth_m), np.maximum(road, 0))
    return body, found.astype(np.float32)


@given(
    depth_m=st.floats(3.0, 15.0),
    across_m=st.floats(-2.0, 2.0),
    low_m=st.floats(0.0, 0.6),
    part_m=st.floats(0.6, 1.2),
    top_m=st.floats(1.5, 2.0),
    side=st.sampled_from(["left", "right"]),
)
def test_a_head_is_in_the_zone_over_any_part_of_its_body(
    depth_m: float, across_m: float, low_m: float, part_m: float, top_m: float, side: Side
) -> None:
    board = box(depth_m, across_m, 0.25, low_m, low_m + part_m)
    # Cells half of which lie outside of the body know nothing of it.
    assume(board[2] - board[0] > 24)
    assume(board[0] > 0)
    assume(board[2] < 640)
    body, disparity = seen(depth_m, board)
    head = box(depth_m, across_m, 0.1, top_m - 0.3, top_m)
    if side == "right":
        head -= np.array([1, 0, 1, 0]) * RIG.focal_baseline / depth_m
    found = list(zones(body, Geometry(disparity, ROAD, RIG), HEADS, side))
    assert any(holds(region, head) for region in found), (head, found)


def holds(region: Region, head: NDArray) -> bool:
    left, top, right, bottom = head
    return (
        region.x <= left
        and region.y <= top + 1e-3
        and region.x + region.width >= right
        and region.y + region.height >= bottom - 1e-3
    )


def test_two_people_at_different_distances_get_a_zone_each() -> None:
    near, near_disparity = seen(5.0, box(5.0, -1.0, 0.25, 0.0, 1.6))
    far, far_disparity = seen(10.0, box(10.0, 1.0, 0.25, 0.0, 1.6))
    disparity = np.maximum(near_disparity, far_disparity)
    found = sorted(
        zones(near | far, Geometry(disparity, ROAD, RIG), HEADS, "left"), key=lambda r: r.x
    )
    assert len(found) == 2
    assert found[0].height == pytest.approx(0.8 * RIG.fy / 5.0, rel=0.02)
    assert found[1].height == pytest.approx(0.8 * RIG.fy / 10.0, rel=0.02)


def test_far_heads_the_road_and_what_hangs_overhead_get_none() -> None:
    for depth_m, low_m, high_m in ((25.0, 0.0, 1.7), (8.0, 0.0, 0.2), (8.0, 2.4, 4.0)):
        body, disparity = seen(depth_m, box(depth_m, 0.0, 0.5, low_m, high_m))
        assert not list(zones(body, Geometry(disparity, ROAD, RIG), HEADS, "left"))
