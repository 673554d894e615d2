"""The street's centre line: it takes street coordinates into the world.

Everything is laid out in street coordinates (metres along, metres to the left) and bent by this
map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cups_training.synthetic.meshes import Mesh


@dataclass(frozen=True)
class CenterLine:
    """A straight until `bend_start_m`, then an arc of `bend_length_m`, then a straight.

    Attributes:
        bend_start_m: along the street, metres.
        bend_length_m: metres.
        curvature: 1/radius, 1/m, positive = to the left.
    """

    bend_start_m: float
    bend_length_m: float
    curvature: float

    def heading(self, along: ArrayLike) -> NDArray[np.float64]:
        """Direction of the street, radians from the world's x axis."""
        inside = np.clip(np.asarray(along, np.float64) - self.bend_start_m, 0.0, self.bend_length_m)
        return np.asarray(self.curvature * inside)

    def world(self, along: ArrayLike, left: ArrayLike) -> NDArray[np.float64]:
        """World (x, y) of street coordinates, metres, shape (..., 2)."""
        s, d = np.broadcast_arrays(np.asarray(along, np.float64), np.asarray(left, np.float64))
        heading = self.heading(s)
        inside = np.clip(s - self.bend_start_m, 0.0, self.bend_length_m)
        after = np.maximum(s - self.bend_start_m - self.bend_length_m, 0.0)
        # Chord of an arc in closed form; sinc keeps it exact for a straight street.
        chord = inside * np.sinc(heading / (2 * np.pi))
        x = np.minimum(s, self.bend_start_m) + chord * np.cos(heading / 2) + after * np.cos(heading)
        y = chord * np.sin(heading / 2) + after * np.sin(heading)
        return np.stack([x - d * np.sin(heading), y + d * np.cos(heading)], axis=-1)

    def bent(self, mesh: Mesh) -> Mesh:
        """A mesh laid out in street coordinates, in the world; its texture coordinates stay."""
        corners = mesh.corners.copy()
        corners[..., :2] = self.world(mesh.corners[..., 0], mesh.corners[..., 1])
        heading = self.heading(mesh.corners[..., 0])
        cos, sin = np.cos(heading), np.sin(heading)
        normals = mesh.normals.copy()
        normals[..., 0] = cos * mesh.normals[..., 0] - sin * mesh.normals[..., 1]
        normals[..., 1] = sin * mesh.normals[..., 0] + cos * mesh.normals[..., 1]
        return Mesh(corners, normals, mesh.texture, mesh.material, mesh.semantic)
