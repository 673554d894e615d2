"""Triangle meshes and the few ways the street is built from: boxes, strips, tubes, lofts and balls.

The models of vehicles, people and the street call it; `scene` joins the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Corners = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with what the shader needs at each corner.

    Attributes:
        corners: float32 (T, 3, 3), metres, x forward, y left, z up.
        normals: float32 (T, 3, 3), unit, per corner.
        texture: float32 (T, 3, 3), metres: the coordinates that anchor the material's pattern to
            the surface.
        material: int32 (T,), row of the material table.
        semantic: uint8 (T,), class of `classes`.
    """

    corners: Corners
    normals: Corners
    texture: Corners
    material: NDArray[np.int32]
    semantic: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.material)

    def moved(self, rotation: ArrayLike, translation: ArrayLike) -> Mesh:
        """The same surface elsewhere; its texture moves along."""
        R = np.asarray(rotation, np.float32)
        t = np.asarray(translation, np.float32)
        return Mesh(
            self.corners @ R.T + t, self.normals @ R.T, self.texture, self.material, self.semantic
        )


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; at least one."""
    return Mesh(
        *(
            np.ascontiguousarray(np.concatenate([getattr(mesh, name) for mesh in meshes]))
            for name in ("corners", "normals", "texture", "material", "semantic")
        )
    )


def triangles(
    corners: ArrayLike,
    material: int,
    semantic: int,
    *,
    normals: Corners | None = None,
    texture: ArrayLike | None = None,
) -> Mesh:
    """Triangles (T, 3, 3), flat unless normals are given; texture = position unless given."""
    c = np.asarray(corners, np.float32)
    if normals is None:
        flat = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        normals = np.repeat(flat[:, None], 3, axis=1)
    return Mesh(
        c,
        normals.astype(np.float32),
        c.copy() if texture is None else np.asarray(texture, np.float32),
        np.full(len(c), material, np.int32),
        np.full(len(c), semantic, np.uint8),
    )


def quads(
    corners: ArrayLike, material: int, semantic: int, texture: ArrayLike | None = None
) -> Mesh:
    """Flat four-cornered faces (Q, 4, 3), counter-clockwise from outside."""
    return triangles(
        _split(np.asarray(corners, np.float32)),
        material,
        semantic,
        texture=None if texture is None else _split(np.asarray(texture, np.float32)),
    )


def grid(
    points: ArrayLike,
    material: int,
    semantic: int,
    *,
    smooth: bool = True,
    texture: ArrayLike | None = None,
) -> Mesh:
    """A surface through points (N, M, 3); normals point along rows x columns (right-handed)."""
    p = np.asarray(points, np.float64)
    q = np.stack([p[:-1, :-1], p[1:, :-1], p[1:, 1:], p[:-1, 1:]], axis=2).reshape(-1, 4, 3)
    normals = None
    if smooth:
        along = np.gradient(p, axis=0)
        across = np.gradient(p, axis=1)
        n = np.cross(along, across)
        n /= np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9)
        normals = _split(
            np.stack([n[:-1, :-1], n[1:, :-1], n[1:, 1:], n[:-1, 1:]], axis=2)
            .reshape(-1, 4, 3)
            .astype(np.float32)
        )
    if texture is not None:
        t = np.asarray(texture, np.float64)
        texture = _split(
            np.stack([t[:-1, :-1], t[1:, :-1], t[1:, 1:], t[:-1, 1:]], axis=2).reshape(-1, 4, 3)
        )
    return triangles(_split(q), material, semantic, normals=normals, texture=texture)


def box(low: Sequence[float], high: Sequence[float], material: int, semantic: int) -> Mesh:
    """A box with faces along the axes."""
    x0, y0, z0 = low
    x1, y1, z1 = high
    faces = [
        [(x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)],
        [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
        [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
        [(x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)],
        [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
        [(x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)],
    ]
    return quads(faces, material, semantic)


def tube(
    path: ArrayLike,
    radius: ArrayLike,
    material: int,
    semantic: int,
    *,
    sides: int = 8,
    capped: bool = True,
) -> Mesh:
    """A round tube along points (N, 3), a radius each; texture = (arc, length, radius)."""
    p = np.asarray(path, np.float64)
    r = np.broadcast_to(np.asarray(radius, np.float64), len(p))
    axis = np.gradient(p, axis=0)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    aside = np.where(np.abs(axis[:, 2:3]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    u = np.cross(aside, axis)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(axis, u)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = u[:, None] * np.cos(angle)[None, :, None] + v[:, None] * np.sin(angle)[None, :, None]
    points = p[:, None] + r[:, None, None] * ring
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))])
    texture = np.stack(
        [
            np.broadcast_to(angle * max(r.max(), 1e-3), points.shape[:2]),
            np.broadcast_to(length[:, None], points.shape[:2]),
            np.broadcast_to(r[:, None], points.shape[:2]),
        ],
        axis=-1,
    )
    quad = np.stack(
        [points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], axis=2
    ).reshape(-1, 4, 3)
    normal = np.stack([ring[:-1, :-1], ring[:-1, 1:], ring[1:, 1:], ring[1:, :-1]], axis=2).reshape(
        -1, 4, 3
    )
    tex = np.stack(
        [texture[:-1, :-1], texture[:-1, 1:], texture[1:, 1:], texture[1:, :-1]], axis=2
    ).reshape(-1, 4, 3)
    parts = [
        triangles(
            _split(quad),
            material,
            semantic,
            normals=_split(normal.astype(np.float32)),
            texture=_split(tex),
        )
    ]
    if capped:
        for end, order in ((0, -1), (-1, 1)):
            rim = points[end][::order]
            centre = np.broadcast_to(p[end], (sides, 3))
            parts.append(
                triangles(np.stack([centre, rim[:-1], rim[1:]], axis=1), material, semantic)
            )
    return joined(parts)


def ball(
    centre: Sequence[float], radii: Sequence[float], material: int, semantic: int, *, sides: int = 8
) -> Mesh:
    """An ellipsoid."""
    polar = np.linspace(0, np.pi, max(sides // 2, 3) + 1)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    unit = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(angle)[None],
            np.sin(polar)[:, None] * np.sin(angle)[None],
            np.broadcast_to(np.cos(polar)[:, None], (len(polar), len(angle))),
        ],
        axis=-1,
    )
    points = unit * np.asarray(radii, np.float64) + np.asarray(centre, np.float64)
    normal = unit / np.asarray(radii, np.float64)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    stack = [
        a[(slice(None, -1), slice(1, None))[i], (slice(None, -1), slice(1, None))[j]]
        for a in (points, normal)
        for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    quad = np.stack(stack[:4], axis=2).reshape(-1, 4, 3)
    norm = np.stack(stack[4:], axis=2).reshape(-1, 4, 3)
    return triangles(_split(quad), material, semantic, normals=_split(norm.astype(np.float32)))


def _split(quad: NDArray[np.floating]) -> Corners:
    """Two triangles of each quad (Q, 4, 3)."""
    return np.asarray(quad[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3), np.float32)
