"""How high and how upright everything in a frame stands, from its disparity and the road.

Whoever labels or fits makes one scene view per frame here; views cut from it keep the geometry.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.motion.ground_plane import GroundPlane, fit_ground_plane
from cups_core.semantics.scene_view import SURFACE_CHANNELS, SceneView

# A normal is fitted to every second pixel of a square of so many pixels to either side, for every
# fourth pixel: a road, a wall or a car door fills it, a pole or a leg is taken without its
# background.
_REACH_PX = 18
_SAMPLE_STEP_PX = 4
_CELL_PX = 4
_FEWEST_SAMPLES = 16
_ROAD_STEP_PX = 2

Map = NDArray[np.float32]


def view_scene(frame: StereoFrame, disparity: Map, step: int = 1) -> SceneView:
    """The left image with depth, height above the road, direction of surfaces and of rays.

    Where no road is found, heights are unknown and directions are measured from the camera's own
    vertical axis.

    Args:
        frame: rectified stereo frame.
        disparity: float32 (H, W) of the left view, pixels, 0 = unknown.
        step: of each `step` x `step` pixels one is measured, the first; the image is their mean.

    Returns:
        ceil(H / step) x ceil(W / step) pixels.

    Raises:
        InputError: the disparity has another size or type than the frame.
    """
    rig = frame.rig
    if disparity.shape != rig.shape or disparity.dtype != np.float32:
        raise InputError(
            f"disparity: expected float32 {rig.shape} as the frame at {frame.stamp_ns} ns has, "
            f"found {disparity.dtype} {disparity.shape}"
        )
    road_step = _ROAD_STEP_PX
    columns, rows = (
        np.arange(0, side, road_step, dtype=np.float32) for side in (rig.width, rig.height)
    )
    road = fit_ground_plane(disparity[::road_step, ::road_step], columns, rows, rig)
    intrinsics = np.array([rig.fx, rig.fy, rig.cx, rig.cy])
    plane = _level_plane(intrinsics) if road is None else _coefficients(road)
    camera_height = np.nan if road is None else road.camera_height_m
    height, width = (-(-side // step) for side in rig.shape)
    surface = np.empty((height, width, len(SURFACE_CHANNELS)), np.float32)
    _measure(disparity, plane, camera_height, intrinsics, step, surface)
    depth = rig.depth(np.ascontiguousarray(disparity[::step, ::step]))
    return SceneView(_reduced(frame.left, step), depth, surface)


def _reduced(image: NDArray[np.uint8], step: int) -> NDArray[np.generic]:
    """Means of `step` x `step` pixels; an image that does not divide goes on with its border."""
    if step == 1:
        return image
    bottom, right = (-side % step for side in image.shape[:2])
    whole = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE).astype(np.float32)
    size = (whole.shape[1] // step, whole.shape[0] // step)
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA))


def _coefficients(road: GroundPlane) -> NDArray[np.float64]:
    return np.array([road.slope_x, road.slope_y, road.offset])


def _level_plane(intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Disparity, up to its scale, of a plane parallel to the optical axis and the image rows."""
    return np.array([0.0, 1.0, -intrinsics[3]])


@kernel
def _normal(
    plane: NDArray[np.float64], intrinsics: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Unit vector from a plane's points to the camera's side, of disparity = a x + b y + c."""
    fx, fy, cx, cy = intrinsics
    x, y, z = plane[0] * fx, plane[1] * fy, plane[2] + plane[0] * cx + plane[1] * cy
    size = np.sqrt(x * x + y * y + z * z)
    # n . X = camera distance > 0 on the plane: the side of the camera is -n.
    return -x / size, -y / size, -z / size


@kernel
def _fit_plane(disparity: Map, row: int, column: int, plane: NDArray[np.float64]) -> bool:
    """Least squares plane through the disparities around a pixel that belong to its surface."""
    height, width = disparity.shape
    center = disparity[row, column]
    if not center > 0:
        return False
    tolerance = 0.75 + 0.04 * center
    n = sx = sy = sxx = sxy = syy = sd = sxd = syd = 0.0
    for dy in range(-_REACH_PX, _REACH_PX + 1, _SAMPLE_STEP_PX):
        y = row + dy
        if y < 0 or y >= height:
            continue
        for dx in range(-_REACH_PX, _REACH_PX + 1, _SAMPLE_STEP_PX):
            x = column + dx
            if x < 0 or x >= width:
                continue
            d = disparity[y, x]
            if not d > 0 or abs(d - center) > tolerance:
                continue
            d -= center
            n += 1.0
            sx += dx
            sy += dy
            sxx += dx * dx
            sxy += dx * dy
            syy += dy * dy
            sd += d
            sxd += dx * d
            syd += dy * d
    if n < _FEWEST_SAMPLES:
        return False
    xx, xy, yy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
    xd, yd = sxd - sx * sd / n, syd - sy * sd / n
    determinant = xx * yy - xy * xy
    if determinant < n * n:  # samples in one line
        return False
    a = (yy * xd - xy * yd) / determinant
    b = (xx * yd - xy * xd) / determinant
    plane[0], plane[1] = a, b
    plane[2] = center + (sd - a * sx - b * sy) / n - a * column - b * row
    return True


@kernel
def _measure(
    disparity: Map,
    road: NDArray[np.float64],
    camera_height: float,
    intrinsics: NDArray[np.float64],
    step: int,
    surface: Map,
) -> None:
    height, width = surface.shape[:2]
    fx, fy, cx, cy = intrinsics
    up_x, up_y, up_z = _normal(road, intrinsics)
    plane = np.empty(3)
    for top in range(0, height, _CELL_PX):
        for left in range(0, width, _CELL_PX):
            row = min(top + _CELL_PX // 2, height - 1) * step
            column = min(left + _CELL_PX // 2, width - 1) * step
            up, facing = np.nan, np.nan
            if _fit_plane(disparity, row, column, plane):
                x, y, z = _normal(plane, intrinsics)
                up, facing = x * up_x + y * up_y + z * up_z, -z
            for i in range(top, min(top + _CELL_PX, height)):
                for j in range(left, min(left + _CELL_PX, width)):
                    y_px, x_px = i * step, j * step
                    d = disparity[y_px, x_px]
                    on_road = road[0] * x_px + road[1] * y_px + road[2]
                    x, y = (x_px - cx) / fx, (y_px - cy) / fy
                    above = (up_x * x + up_y * y + up_z) / np.sqrt(x * x + y * y + 1.0)
                    surface[i, j, 0] = camera_height * (1.0 - on_road / d) if d > 0 else np.nan
                    surface[i, j, 1] = up
                    surface[i, j, 2] = facing
                    surface[i, j, 3] = above
