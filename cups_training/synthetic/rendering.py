"""From a snapshot and a camera to a linear colour image and the hits behind each pixel.

`drive` calls it for both views; edges get more rays so that thin things do not flicker.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_training.synthetic.camera import Camera
from cups_training.synthetic.casting import MISSED, Hits, blocked, first_hits
from cups_training.synthetic.light import Light
from cups_training.synthetic.noise import LATTICE
from cups_training.synthetic.scene import Snapshot, Surfaces
from cups_training.synthetic.shading import lit_colours, surface_points

_SUN_REACH_M = 150.0
_LIFT_M = 0.01
_EDGE_SAMPLES = ((-0.25, -0.25), (0.25, 0.25))


def cast_pixels(snapshot: Snapshot, camera: Camera) -> Hits:
    """What every pixel centre sees."""
    return _cast(snapshot, camera, camera.directions(*camera.pixel_grid()))


def render(
    snapshot: Snapshot, camera: Camera, surfaces: Surfaces, light: Light, hits: Hits
) -> NDArray[np.float32]:
    """The image (H, W, 3) of pixels already cast, float32 linear RGB, 1 = saturation."""
    columns, rows = camera.pixel_grid()
    colour = _colours(snapshot, camera, surfaces, light, hits, camera.directions(columns, rows))
    edge = np.flatnonzero(_edges(hits, surfaces, camera.rig.shape))
    if len(edge):
        total = colour[edge].copy()
        for dx, dy in _EDGE_SAMPLES:
            rays = camera.directions(columns[edge] + np.float32(dx), rows[edge] + np.float32(dy))
            total += np.minimum(
                _colours(snapshot, camera, surfaces, light, _cast(snapshot, camera, rays), rays),
                1.5,
            )
        colour[edge] = total / (len(_EDGE_SAMPLES) + 1)
    return colour.reshape(*camera.rig.shape, 3)


def _cast(snapshot: Snapshot, camera: Camera, directions: NDArray[np.float32]) -> Hits:
    origins = np.broadcast_to(camera.centre.astype(np.float32), directions.shape).copy()
    return first_hits(snapshot.casters, origins, directions)


def _colours(
    snapshot: Snapshot,
    camera: Camera,
    surfaces: Surfaces,
    light: Light,
    hits: Hits,
    directions: NDArray[np.float32],
) -> NDArray[np.float32]:
    step_x = camera.pose.rotation[:, 0] / camera.rig.fx
    step_y = camera.pose.rotation[:, 1] / camera.rig.fy
    points, facing, colours = surface_points(
        hits.triangle,
        hits.u,
        hits.v,
        hits.distance,
        directions,
        step_x,
        step_y,
        camera.centre,
        snapshot.corners,
        snapshot.normals,
        surfaces.texture,
        surfaces.material,
        surfaces.materials,
        LATTICE,
    )
    in_sun = (hits.triangle != MISSED) & (facing @ light.sun.astype(np.float32) > 0)
    if light.casts_shadows:
        asked = np.flatnonzero(in_sun)
        sun = light.sun.astype(np.float32)
        start = points[asked] + np.float32(_LIFT_M) * (facing[asked] + sun)
        shaded = blocked(
            snapshot.casters,
            start,
            np.broadcast_to(sun, start.shape).copy(),
            np.full(len(start), _SUN_REACH_M, np.float32),
        )
        in_sun[asked[shaded]] = False
    return lit_colours(
        hits.triangle,
        hits.distance,
        directions,
        points,
        facing,
        colours,
        in_sun,
        light.packed(),
        LATTICE,
    )


def _edges(hits: Hits, surfaces: Surfaces, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels beside one of another material or depth."""
    distance = np.where(hits.triangle == MISSED, np.float32(1e4), hits.distance).reshape(shape)
    material = np.where(hits.triangle == MISSED, -1, surfaces.material[hits.triangle]).reshape(
        shape
    )
    edge = np.zeros(shape, np.bool_)
    for axis in (0, 1):
        low = [slice(None), slice(None)]
        high = [slice(None), slice(None)]
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        near, far = distance[tuple(low)], distance[tuple(high)]
        step = (material[tuple(low)] != material[tuple(high)]) | (
            np.abs(near - far) > 0.08 * np.minimum(near, far)
        )
        edge[tuple(low)] |= step
        edge[tuple(high)] |= step
    return edge.ravel()
