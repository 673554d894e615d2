"""Flow and disparity of two frames brought together on one grid.

Where each point was, where it went, how well it is known.

Ego-motion and both segmenters read it; nothing later looks at raw flow or disparity again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.errors import InputError
from cups_core.rig import StereoRig

# Above this many pixels the grid takes every second pixel: masks lose nothing that matters, time
# falls fourfold.
FULL_GRID_PIXELS = 300_000
# So close to its border the right view confirms nothing: matching has no neighbourhood there.
BORDER_PX = 12
UNVERIFIED = np.float32(1e6)

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StereoMotion:
    """What the estimators measured between frame t and t+1, at image size.

    Attributes:
        flow_forward: float32 (H, W, 2), left t to left t+1, pixels.
        flow_backward: float32 (H, W, 2), left t+1 to left t, pixels.
        disparity: float32 (H, W), left view at t, pixels, 0 = unknown.
        disparity_right: float32 (H, W), right view at t.
        next_disparity: float32 (H, W), left view at t+1.
        next_disparity_right: float32 (H, W), right view at t+1.

    Raises:
        InputError: shapes differ, or a map is not float32.
    """

    flow_forward: Map
    flow_backward: Map
    disparity: Map
    disparity_right: Map
    next_disparity: Map
    next_disparity_right: Map

    def __post_init__(self) -> None:
        size = self.disparity.shape
        for name, channels in (
            ("flow_forward", (2,)),
            ("flow_backward", (2,)),
            ("disparity", ()),
            ("disparity_right", ()),
            ("next_disparity", ()),
            ("next_disparity_right", ()),
        ):
            found = getattr(self, name)
            if found.shape != (*size, *channels) or found.dtype != np.float32:
                raise InputError(
                    f"{name}: expected float32 {(*size, *channels)}, found {found.dtype} "
                    f"{found.shape}"
                )


@dataclass(frozen=True, eq=False)
class SceneFlow:
    """Measurements on a grid of every `stride`-th pixel, h x w points.

    Attributes:
        rig: calibration at image size.
        stride: distance of the grid points, image pixels; point (i, j) lies at pixel (j, i) *
            stride.
        flow: float32 (h, w, 2), image pixels.
        flow_error: float32 (h, w), forward-backward error, pixels, `UNVERIFIED` where the target
            left the image.
        disparity: float32 (h, w), pixels, 0 = unknown or not confirmed by the right view.
        next_disparity: float32 (h, w), at the flow's target at t+1, 0 = unknown.
        next_map: float32 (H, W), checked disparity at t+1 at image size, 0 = unknown.
    """

    rig: StereoRig
    stride: int
    flow: Map
    flow_error: Map
    disparity: Map
    next_disparity: Map
    next_map: Map

    def pixel_coordinates(self) -> tuple[Map, Map]:
        """Image columns (w,) and rows (h,) of the grid points, pixels."""
        h, w = self.disparity.shape
        return np.arange(w, dtype=np.float32) * self.stride, np.arange(
            h, dtype=np.float32
        ) * self.stride


@kernel
def _bilinear(field: Map, x: float, y: float, channel: int) -> float:
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, field.shape[1] - 1), min(y0 + 1, field.shape[0] - 1)
    a, b = x - x0, y - y0
    top = field[y0, x0, channel] * (1 - a) + field[y0, x1, channel] * a
    bottom = field[y1, x0, channel] * (1 - a) + field[y1, x1, channel] * a
    return float(top * (1 - b) + bottom * b)


@kernel
def _checked(left: Map, right: Map, stride: int, tolerance: float, out: Map) -> None:
    """Left disparities at every `stride`-th pixel where the right view agrees to `tolerance`."""
    height, width = left.shape
    for i in range(out.shape[0]):
        y = i * stride
        for j in range(out.shape[1]):
            x = j * stride
            d = left[y, x]
            value = np.float32(0.0)
            if d > 0.0:
                target = int(x - d + 0.5)
                if target >= BORDER_PX and abs(right[y, target] - d) <= tolerance + 0.02 * d:
                    value = d
            out[i, j] = value


@kernel
def _gather(
    forward: Map,
    backward: Map,
    next_map: Map,
    stride: int,
    flow: Map,
    error: Map,
    next_disparity: Map,
) -> None:
    height, width = next_map.shape
    for i in range(error.shape[0]):
        y = i * stride
        for j in range(error.shape[1]):
            x = j * stride
            u, v = forward[y, x, 0], forward[y, x, 1]
            flow[i, j, 0], flow[i, j, 1] = u, v
            tx, ty = x + u, y + v
            error[i, j] = UNVERIFIED
            next_disparity[i, j] = 0.0
            if tx >= 0 and ty >= 0 and tx <= width - 1 and ty <= height - 1:
                error[i, j] = length(
                    u + _bilinear(backward, tx, ty, 0), v + _bilinear(backward, tx, ty, 1)
                )
                next_disparity[i, j] = next_map[int(ty + 0.5), int(tx + 0.5)]


def working_step(height: int, width: int) -> int:
    """Grid step for an image of this size: every how many pixels, along either axis."""
    return max(1, math.ceil(math.sqrt(height * width / FULL_GRID_PIXELS)))


def measure_scene_flow(motion: StereoMotion, rig: StereoRig, stride: int = 0) -> SceneFlow:
    """Brings one pair's estimates onto a grid and checks them against each other.

    Args:
        motion: the estimates, at the rig's size.
        rig: calibration.
        stride: grid step in pixels; 0 chooses by `working_step`.

    Raises:
        InputError: the estimates have another size than the rig.
    """
    if motion.disparity.shape != rig.shape:
        raise InputError(f"estimates have size {motion.disparity.shape}, the rig has {rig.shape}")
    height, width = rig.shape
    step = stride or working_step(height, width)
    h, w = (height + step - 1) // step, (width + step - 1) // step
    disparity = np.empty((h, w), np.float32)
    _checked(motion.disparity, motion.disparity_right, step, 1.5, disparity)
    next_map = np.empty((height, width), np.float32)
    _checked(motion.next_disparity, motion.next_disparity_right, 1, 1.5, next_map)
    flow = np.empty((h, w, 2), np.float32)
    error = np.empty((h, w), np.float32)
    next_disparity = np.empty((h, w), np.float32)
    _gather(motion.flow_forward, motion.flow_backward, next_map, step, flow, error, next_disparity)
    return SceneFlow(rig, step, flow, error, disparity, next_disparity, next_map)
