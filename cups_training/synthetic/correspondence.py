"""Where what a pixel shows is in another image, and whether it can be seen there: exact, by rays.

The truth makes disparity, flow and occlusion of it; the sensor model makes motion blur of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_training.synthetic.camera import Camera
from cups_training.synthetic.casting import RayCaster, blocked

SKY_M = 5000.0
"""Distance that stands for infinity where a ray of the sky is needed."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """Where the surface behind each pixel lies for another camera at another time.

    Attributes:
        points: float32 (H * W, 3), metres, frame of the other camera.
        pixels: float64 (H, W, 2), columns and rows in the other image; NaN behind the other camera.
    """

    points: NDArray[np.float32]
    pixels: NDArray[np.float64]


def transfer(
    camera: Camera, parts: Sequence[RigidTransform], other: Camera, other_parts: Sequence[RigidTransform],
    part: NDArray[np.int32], depth: NDArray[np.float32],
) -> Transfer:
    """Carry every pixel over to another camera, with the rigid part that it shows.

    Args:
        camera: of the pixels.
        parts: world from part at the camera's time.
        other: camera to carry them to.
        other_parts: world from part at the other time.
        part: int32 (H, W), -1 = sky, which turns with the camera only.
        depth: float32 (H, W), metres; ignored for the sky.
    """
    into_other = other.pose.inverse()
    matrices = np.empty((len(parts) + 1, 3, 4))
    for row, (now, then) in enumerate(zip(parts, other_parts, strict=True)):
        motion = into_other.after(then).after(now.inverse()).after(camera.pose)
        matrices[row, :, :3], matrices[row, :, 3] = motion.rotation, motion.translation_m
    matrices[-1, :, :3] = into_other.rotation @ camera.pose.rotation
    matrices[-1, :, 3] = 0.0
    return Transfer(*_carry(part, depth, matrices, camera.rig.K, other.rig.K))


def hidden(
    moved: Transfer, other: Camera, casters: Sequence[RayCaster]
) -> NDArray[np.bool_]:
    """Whether the other camera cannot see each point: outside its image, or behind something; bool (H, W)."""
    height, width = moved.pixels.shape[:2]
    x, y = moved.pixels[..., 0].ravel(), moved.pixels[..., 1].ravel()
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    asked = np.flatnonzero(inside)
    towards = (moved.points[asked].astype(np.float64) @ other.pose.rotation.T).astype(np.float32)
    origins = np.broadcast_to(other.centre.astype(np.float32), towards.shape).copy()
    # Stop a centimetre (and float32's last bits) before the surface itself.
    reach = (0.9999 - 0.01 / np.maximum(moved.points[asked, 2], 0.1)).astype(np.float32)
    result = ~inside
    result[asked] = blocked(casters, origins, towards, reach)
    return result.reshape(height, width)


@njit(cache=True, error_model="numpy")
def _carry(part, depth, matrices, K, other_K):
    height, width = depth.shape
    points = np.empty((height * width, 3), np.float32)
    pixels = np.empty((height, width, 2), np.float64)
    for row in range(height):
        for column in range(width):
            at = part[row, column]
            z = float(depth[row, column]) if at >= 0 else SKY_M
            M = matrices[at if at >= 0 else len(matrices) - 1]
            x = (column - K[0, 2]) / K[0, 0] * z
            y = (row - K[1, 2]) / K[1, 1] * z
            ox = M[0, 0] * x + M[0, 1] * y + M[0, 2] * z + M[0, 3]
            oy = M[1, 0] * x + M[1, 1] * y + M[1, 2] * z + M[1, 3]
            oz = M[2, 0] * x + M[2, 1] * y + M[2, 2] * z + M[2, 3]
            index = row * width + column
            points[index, 0], points[index, 1], points[index, 2] = ox, oy, oz
            if oz > 1e-3:
                pixels[row, column, 0] = other_K[0, 0] * ox / oz + other_K[0, 2]
                pixels[row, column, 1] = other_K[1, 1] * oy / oz + other_K[1, 2]
            else:
                pixels[row, column, 0] = np.nan
                pixels[row, column, 1] = np.nan
    return points, pixels
