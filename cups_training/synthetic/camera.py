"""Rays of a camera, ideal or as real rigs have it: a little rolled and shifted against its calibration.

The renderer and the truth cast these rays; the drive makes the left, the ideal right and the real right camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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

    def directions(self, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """World directions (N, 3) through pixels, float32, of length one along the optical axis."""
        rig = self.rig
        x = (columns - rig.cx) / rig.fx
        y = (rows + self.row_offset_px - rig.cy) / rig.fy
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        rays = np.stack([cos * x - sin * y, sin * x + cos * y, np.ones_like(x)], axis=-1)
        return (rays @ self.pose.rotation.T).astype(np.float32)
