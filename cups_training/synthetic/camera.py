"""Rays of a camera, ideal or, as on real rigs, a little off its calibration.

The renderer and the truth cast these rays; the drive makes the left, the ideal right and the real
right camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.rig import StereoRig


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera somewhere in the world.

    Attributes:
        rig: intrinsics and size.
        pose: world from camera (optical frame: x right, y down, z forward).
        roll_rad: error of the rectification about the optical axis.
        row_offset_px: error of the rectification along y.
    """

    rig: StereoRig
    pose: RigidTransform
    roll_rad: float = 0.0
    row_offset_px: float = 0.0

    @property
    def centre(self) -> NDArray[np.float64]:
        """World position, metres."""
        return self.pose.translation_m

    def right_neighbour(self, roll_rad: float = 0.0, row_offset_px: float = 0.0) -> Camera:
        """The second camera of the rig, one baseline to the right."""
        shift = RigidTransform(np.eye(3), np.array([self.rig.baseline_m, 0.0, 0.0]))
        return Camera(self.rig, self.pose.after(shift), roll_rad, row_offset_px)

    def pixel_grid(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns and rows of all pixel centres, float32 (H * W,) each."""
        height, width = self.rig.shape
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        return columns.ravel(), rows.ravel()

    def directions(
        self, columns: NDArray[np.floating], rows: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """World directions (N, 3) through pixels, float32, of length one along the optical axis."""
        return np.asarray(
            _directions(
                columns,
                rows,
                self.rig.K,
                self.pose.rotation,
                self.row_offset_px,
                np.cos(self.roll_rad),
                np.sin(self.roll_rad),
            )
        )


@njit(cache=True, error_model="numpy")
def _directions(
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    K: NDArray[np.float64],
    rotation: NDArray[np.float64],
    row_offset: float,
    cos: float,
    sin: float,
) -> NDArray[np.float32]:
    out = np.empty((len(columns), 3), np.float32)
    for i in range(len(columns)):
        px = (columns[i] - K[0, 2]) / K[0, 0]
        py = (rows[i] + row_offset - K[1, 2]) / K[1, 1]
        x, y = cos * px - sin * py, sin * px + cos * py
        for axis in range(3):
            out[i, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2]
    return out
