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
        other: that camera.
        shift: float32 (H, W, 2), way in the image, pixels right and down; NaN behind the other
            camera.
        directions: float32 (H * W, 3), world, from the other camera to the surface, as long as the
            way.
        reach: float32 (H * W,), share of the way that must be free; negative outside the other
            image.
    """

    other: Camera
    shift: NDArray[np.float32]
    directions: NDArray[np.float32]
    reach: NDArray[np.float32]

    def hidden(self, casters: Sequence[RayCaster]) -> NDArray[np.bool_]:
        """Whether the other camera cannot see each point (outside, hidden); bool (H, W).

        Args:
            casters: the geometry at the other camera's time.
        """
        origins = np.empty_like(self.directions)
        origins[:] = self.other.centre
        result = blocked(casters, origins, self.directions, self.reach)
        result |= self.reach < 0
        return result.reshape(self.shift.shape[:2])


def transfer(
    camera: Camera,
    parts: Sequence[RigidTransform],
    other: Camera,
    other_parts: Sequence[RigidTransform],
    part: NDArray[np.int32],
    depth: NDArray[np.float32],
) -> Transfer:
    """Carry every pixel over to another camera, with the rigid part that it shows.

    Args:
        camera: of the pixels; its errors of rectification are ignored.
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
    return Transfer(
        other, *_carry(part, depth, matrices, camera.rig.K, other.rig.K, other.pose.rotation)
    )


@njit(cache=True, error_model="numpy")
def _carry(
    part: NDArray[np.int32],
    depth: NDArray[np.float32],
    matrices: NDArray[np.float64],
    K: NDArray[np.float64],
    other_K: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    height, width = depth.shape
    directions = np.empty((height * width, 3), np.float32)
    reach = np.empty(height * width, np.float32)
    shift = np.empty((height, width, 2), np.float32)
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
            for axis in range(3):
                directions[index, axis] = (
                    turn[axis, 0] * ox + turn[axis, 1] * oy + turn[axis, 2] * oz
                )
            reach[index] = -1.0
            if oz > 1e-3:
                to_column = other_K[0, 0] * ox / oz + other_K[0, 2]
                to_row = other_K[1, 1] * oy / oz + other_K[1, 2]
                shift[row, column, 0] = to_column - column
                shift[row, column, 1] = to_row - row
                if -0.5 <= to_column <= width - 0.5 and -0.5 <= to_row <= height - 0.5:
                    # Stop a centimetre (and float32's last bits) before the surface itself.
                    reach[index] = max(0.9999 - 0.01 / oz, 0.0)
            else:
                shift[row, column, 0] = np.nan
                shift[row, column, 1] = np.nan
    return shift, directions, reach
