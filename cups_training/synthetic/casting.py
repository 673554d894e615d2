"""Ray casting by Embree: which triangle a ray meets, what stands between two points.

`scene` builds a caster for what stands still and one for what moves; rendering and truth ask both
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CupsError

MISSED = -1


class EmbreeMissingError(CupsError, ImportError):
    """The ray caster is not installed."""


@dataclass(frozen=True, eq=False)
class Hits:
    """First surface along each ray.

    Attributes:
        triangle: int32 (N,), index over all casters' triangles in order, `MISSED` where there is
            none.
        u, v: float32 (N,), barycentric weights of the triangle's second and third corner.
        distance: float32 (N,), in lengths of the ray's direction, infinite where missed.
    """

    triangle: NDArray[np.int32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    distance: NDArray[np.float32]


class RayCaster:
    """The triangles of one body of geometry, ready for rays.

    Args:
        corners: float32 (T, 3, 3), metres.

    Raises:
        EmbreeMissingError: the package `embreex` is not installed.
    """

    def __init__(self, corners: NDArray[np.float32]) -> None:
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as missing:
            raise EmbreeMissingError(
                "synthetic drives need the ray caster 'embreex', which cannot be imported here. "
                "Install it with: pip install 'cups-ros[sim]'"
            ) from missing
        self.count = len(corners)
        self._scene: Any = EmbreeScene()
        self._mesh = (
            TriangleMesh(self._scene, np.ascontiguousarray(corners, np.float32))
            if self.count
            else None
        )

    def first_hits(self, origins: NDArray[np.float32], directions: NDArray[np.float32]) -> Hits:
        """The first triangle along each ray."""
        found = self._scene.run(origins, directions, output=True)
        triangle = found["primID"]
        return Hits(
            triangle,
            found["u"],
            found["v"],
            np.where(triangle < 0, np.float32(np.inf), found["tfar"]),
        )

    def blocked(
        self,
        origins: NDArray[np.float32],
        directions: NDArray[np.float32],
        reach: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Whether a triangle lies within `reach` (in lengths of the direction) along each ray."""
        return np.asarray(self._scene.run(origins, directions, dists=reach, query="OCCLUDED") != -1)


def first_hits(
    casters: Sequence[RayCaster], origins: NDArray[np.float32], directions: NDArray[np.float32]
) -> Hits:
    """The nearest of the casters' hits; triangle indices count on from one caster to the next."""
    nearest: Hits | None = None
    offset = 0
    for caster in casters:
        if caster.count == 0:
            continue
        found = caster.first_hits(origins, directions)
        if nearest is None:
            nearest = found
        else:
            closer = found.distance < nearest.distance
            nearest.triangle[closer] = found.triangle[closer] + offset
            for name in ("u", "v", "distance"):
                getattr(nearest, name)[closer] = getattr(found, name)[closer]
        offset += caster.count
    if nearest is None:
        raise CupsError("ray casting: expected at least one triangle, found an empty scene")
    return nearest


def blocked(
    casters: Sequence[RayCaster],
    origins: NDArray[np.float32],
    directions: NDArray[np.float32],
    reach: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Whether any caster blocks each ray within its reach."""
    result = np.zeros(len(directions), np.bool_)
    for caster in casters:
        if caster.count:
            result |= caster.blocked(origins, directions, reach)
    return result
