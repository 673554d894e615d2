"""Where each point would be if only the camera had moved, and how far the measurements deviate.

`static_evidence` weighs these deviations against their noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.motion.ground_plane import GroundPlane
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import UNVERIFIED, Map, Mask, SceneFlow

# The ground mask reaches this share of the camera height above the road, and this much disparity
# noise more.
GROUND_MARGIN = 0.1
GROUND_NOISE_PX = 0.5


@dataclass(frozen=True, eq=False)
class StaticResiduals:
    """Maps on the scene-flow grid.

    Attributes:
        disparity: float32 (h, w), pixels, gaps filled from the farther side of the row.
        spread: float32 (h, w), how unsure a filled disparity is, pixels, 0 where it was measured.
        known: bool (h, w), where the disparity was measured.
        ground: bool (h, w), on the road: shadows and reflections move there, objects do not consist
            of it.
        skip: bool (h, w), road that was not tested; of the road a quarter of the points is.
        static_flow: float32 (h, w, 2), flow that ego-motion causes, pixels.
        residual: float32 (h, w, 2), flow that it does not explain, mean over the surface within
            3x3, pixels.
        disparity_residual: float32 (h, w), disparity found where ego-motion takes the point minus
            the predicted one, pixels, NaN where nothing was found.
        believable: bool (h, w), where the flow's target is no mismatch: nothing moves that far.
        agrees: bool (h, w), where the disparity at the flow's target confirms the disparity
            residual.
    """

    disparity: Map
    spread: Map
    known: Mask
    ground: Mask
    skip: Mask
    static_flow: Map
    residual: Map
    disparity_residual: Map
    believable: Mask
    agrees: Mask


@kernel
def _filled(disparity: Map, filled: Map, spread: Map) -> None:
    """Fills gaps along rows with the smaller (farther) neighbour.

    `spread` is how unsure that is, pixels.
    """
    height, width = disparity.shape
    for i in range(height):
        last = np.float32(0.0)
        for j in range(width):
            if disparity[i, j] > 0:
                last = disparity[i, j]
            filled[i, j] = last
        last = np.float32(0.0)
        for j in range(width - 1, -1, -1):
            spread[i, j] = 0.0
            if disparity[i, j] > 0:
                last = disparity[i, j]
                continue
            before = filled[i, j]
            if before == 0.0 or last == 0.0:
                filled[i, j] = max(before, last)
                spread[i, j] = max(1.0, 0.3 * filled[i, j])
            else:
                filled[i, j] = min(before, last)
                spread[i, j] = 0.5 + 0.5 * abs(before - last)


@kernel
def _found_disparity(next_map: Map, x: int, y: int, radius: int, predicted: float) -> float:
    """Deviation from `predicted` of the disparity around a pixel at t+1; NaN where there is none.

    On a smooth surface the mean of 3x3 (less noise); beside an edge the nearest value within
    `radius`, since half a pixel decides there on which side one looks.
    """
    total, count, low, high, best = 0.0, 0, 1e9, -1e9, 1e9
    for i in range(y - 1, y + 2):
        for j in range(x - 1, x + 2):
            value = next_map[i, j]
            if value > 0:
                total += value
                count += 1
                low = min(low, value)
                high = max(high, value)
    if count == 0:
        return np.nan
    mean = total / count - predicted
    if high - low < 1.0 + 0.05 * predicted and abs(mean) < 3.0:
        return mean
    for i in range(y - radius, y + radius + 1):
        for j in range(x - radius, x + radius + 1):
            value = next_map[i, j]
            if value > 0 and abs(value - predicted) < abs(best):
                best = value - predicted
    return best


@kernel
def _test_static(
    disparity: Map,
    known: Mask,
    skip: Mask,
    flow: Map,
    flow_error: Map,
    next_disparity: Map,
    next_map: Map,
    stride: int,
    camera: NDArray[np.float64],
    R: NDArray[np.float64],
    t: NDArray[np.float64],
    reach_m: float,
    residual: Map,
    static_flow: Map,
    found: Map,
    believable: Mask,
    agrees: Mask,
) -> None:
    fx, fy, cx, cy, fb = camera[0], camera[1], camera[2], camera[3], camera[4]
    height, width = next_map.shape
    for i in range(disparity.shape[0]):
        y = float(i * stride)
        for j in range(disparity.shape[1]):
            found[i, j] = np.nan
            agrees[i, j] = believable[i, j] = False
            if skip[i, j]:
                residual[i, j] = static_flow[i, j] = 0.0
                continue
            x = float(j * stride)
            d = max(float(disparity[i, j]), 0.3)
            z = fb / d
            px, py = (x - cx) / fx * z, (y - cy) / fy * z
            qx = R[0, 0] * px + R[0, 1] * py + R[0, 2] * z + t[0]
            qy = R[1, 0] * px + R[1, 1] * py + R[1, 2] * z + t[1]
            qz = R[2, 0] * px + R[2, 1] * py + R[2, 2] * z + t[2]
            believable[i, j] = qz > 0.3
            if qz <= 0.3:
                residual[i, j] = static_flow[i, j] = 0.0
                continue
            u, v, predicted = fx * qx / qz + cx, fy * qy / qz + cy, fb / qz
            static_flow[i, j, 0], static_flow[i, j, 1] = u - x, v - y
            residual[i, j, 0] = x + flow[i, j, 0] - u
            residual[i, j, 1] = y + flow[i, j, 1] - v
            if not known[i, j]:
                continue
            radius = 2 + int(0.06 * length(u - x, v - y))
            column, row = int(u + 0.5), int(v + 0.5)
            if radius <= column < width - radius and radius <= row < height - radius:
                found[i, j] = _found_disparity(next_map, column, row, radius, predicted)
            after = next_disparity[i, j]
            if after > 0 and flow_error[i, j] < UNVERIFIED:
                # Where the flow leads, would the point have moved as nothing on a street does? Then
                # it is no match.
                agrees[i, j] = abs(after - predicted - found[i, j]) < 2.0 + 0.1 * d
                z1 = fb / after
                x1 = (x + flow[i, j, 0] - cx) / fx * z1
                y1 = (y + flow[i, j, 1] - cy) / fy * z1
                doubt = 2.0 * qz * qz / fb
                aside, down = (u - cx) / fx, (v - cy) / fy
                believable[i, j] = (
                    abs(z1 - qz) <= reach_m + doubt
                    and length(x1 - qx, y1 - qy) <= reach_m + doubt * length(aside, down)
                    and abs(y1 - qy) <= 0.1 + 0.15 * reach_m + doubt * abs(down)
                )


@kernel
def _averaged(
    residual: Map,
    found: Map,
    flow_error: Map,
    believable: Mask,
    ground: Mask,
    skip: Mask,
    disparity: Map,
    mean: Map,
    mean_found: Map,
) -> None:
    """3x3 means of both residuals within a surface, flow weighted by its consistency.

    On the road every second point is averaged, so that the noise that is left is the same.
    """
    height, width = disparity.shape
    for i in range(height):
        for j in range(width):
            if skip[i, j]:
                mean[i, j] = 0.0
                mean_found[i, j] = np.nan
                continue
            d = disparity[i, j]
            tolerance = max(1.0, 0.06 * d)
            sum_u, sum_v, weight, total, count = 0.0, 0.0, 0.0, 0.0, 0
            step = 2 if ground[i, j] else 1
            for k in range(max(0, i - step), min(height, i + step + 1), step):
                for m in range(max(0, j - step), min(width, j + step + 1), step):
                    if abs(disparity[k, m] - d) >= tolerance:
                        continue
                    error = flow_error[k, m]
                    if believable[k, m] and error < UNVERIFIED:
                        w = 1.0 / (0.04 + error * error)
                        sum_u += w * residual[k, m, 0]
                        sum_v += w * residual[k, m, 1]
                        weight += w
                    if not np.isnan(found[k, m]):
                        total += found[k, m]
                        count += 1
            if weight > 0:
                mean[i, j, 0], mean[i, j, 1] = sum_u / weight, sum_v / weight
            else:
                mean[i, j, 0], mean[i, j, 1] = residual[i, j, 0], residual[i, j, 1]
            mean_found[i, j] = total / count if count else np.nan


def measure_static_residuals(
    scene: SceneFlow, ego_motion: RigidTransform, ground_plane: GroundPlane | None, reach_m: float
) -> StaticResiduals:
    """Compares every grid point with the prediction that it stands still.

    Args:
        scene: measurements on a grid.
        ego_motion: motion of static points from t to t+1 in camera coordinates.
        ground_plane: the road, where one was found.
        reach_m: nothing moves farther than this between the frames, metres.
    """
    rig = scene.rig
    shape = scene.disparity.shape
    known = scene.disparity > 0
    disparity, spread = np.empty(shape, np.float32), np.empty(shape, np.float32)
    _filled(scene.disparity, disparity, spread)
    columns, rows = scene.pixel_coordinates()
    ground = np.zeros(shape, np.bool_)
    if ground_plane is not None:
        road = ground_plane.disparity(columns, rows)
        ground = (road > 2.0) & (disparity < road * (1.0 + GROUND_MARGIN) + GROUND_NOISE_PX)
    # Of the road only every fourth point is tested, for what beside it may have taken over its
    # flow.
    skip = ground.copy()
    skip[::2, ::2] = False
    raw, static_flow, raw_found = (
        np.empty((*shape, 2), np.float32),
        np.empty((*shape, 2), np.float32),
        np.empty(shape, np.float32),
    )
    believable, agrees = np.empty(shape, np.bool_), np.empty(shape, np.bool_)
    camera = np.array([rig.fx, rig.fy, rig.cx, rig.cy, rig.focal_baseline])
    _test_static(
        disparity,
        known,
        skip,
        scene.flow,
        scene.flow_error,
        scene.next_disparity,
        scene.next_map,
        scene.stride,
        camera,
        ego_motion.rotation,
        ego_motion.translation_m,
        reach_m,
        raw,
        static_flow,
        raw_found,
        believable,
        agrees,
    )
    residual, found = np.empty((*shape, 2), np.float32), np.empty(shape, np.float32)
    _averaged(
        raw, raw_found, scene.flow_error, believable, ground, skip, disparity, residual, found
    )
    return StaticResiduals(
        disparity, spread, known, ground, skip, static_flow, residual, found, believable, agrees
    )
