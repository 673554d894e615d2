"""Colour of what the rays meet: patterns, sun with real shadows, sky light, mirrors and haze.

`rendering` calls `surface_points`, asks the caster which of them the sun reaches, then calls
`lit_colours`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cups_training.synthetic.materials import pattern
from cups_training.synthetic.noise import fractal_noise


@njit(cache=True, error_model="numpy", fastmath=True)
def surface_points(
    triangle: NDArray[np.int32],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    distance: NDArray[np.float32],
    directions: NDArray[np.float32],
    step_x: NDArray[np.float64],
    step_y: NDArray[np.float64],
    centre: NDArray[np.float64],
    corners: NDArray[np.float32],
    normals: NDArray[np.float32],
    texture: NDArray[np.float32],
    material: NDArray[np.int32],
    materials: NDArray[np.float32],
    lattice: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Surface properties where rays meet triangles.

    Args:
        triangle: (N,), as in `Hits`.
        u: (N,), as in `Hits`.
        v: (N,), as in `Hits`.
        distance: (N,), as in `Hits`.
        directions: (N, 3), world.
        step_x: (3,), change of the direction per pixel to the right.
        step_y: (3,), change of the direction per pixel down.
        centre: (3,), where the rays start.
        corners: (T, 3, 3), world.
        normals: (T, 3, 3), world.
        texture: (T, 3, 3), metres.
        material: (T,), row of `materials`.
        materials: (M, C).
        lattice: of the noise.

    Returns:
        (points, normals, colours with mirror share): float32 (N, 3), (N, 3), (N, 4); undefined
        where missed.
    """
    count = len(triangle)
    points = np.zeros((count, 3), np.float32)
    facing = np.zeros((count, 3), np.float32)
    colours = np.zeros((count, 4), np.float32)
    for i in range(count):
        t = triangle[i]
        if t < 0:
            continue
        b, c = u[i], v[i]
        a = 1.0 - b - c
        dx, dy, dz = float(directions[i, 0]), float(directions[i, 1]), float(directions[i, 2])
        far = float(distance[i])
        ax, ay, az = float(corners[t, 0, 0]), float(corners[t, 0, 1]), float(corners[t, 0, 2])
        e1x, e1y, e1z = corners[t, 1, 0] - ax, corners[t, 1, 1] - ay, corners[t, 1, 2] - az
        e2x, e2y, e2z = corners[t, 2, 0] - ax, corners[t, 2, 1] - ay, corners[t, 2, 2] - az
        gx = e1y * e2z - e1z * e2y
        gy = e1z * e2x - e1x * e2z
        gz = e1x * e2y - e1y * e2x
        # Extent of one pixel on the triangle's plane, carried over to texture coordinates by its
        # own affine map.
        toward = gx * dx + gy * dy + gz * dz
        if abs(toward) < 1e-12:
            toward = 1e-12
        turn_x = (gx * step_x[0] + gy * step_x[1] + gz * step_x[2]) / toward
        turn_y = (gx * step_y[0] + gy * step_y[1] + gz * step_y[2]) / toward
        sx, sy, sz = (
            far * (step_x[0] - turn_x * dx),
            far * (step_x[1] - turn_x * dy),
            far * (step_x[2] - turn_x * dz),
        )
        rx, ry, rz = (
            far * (step_y[0] - turn_y * dx),
            far * (step_y[1] - turn_y * dy),
            far * (step_y[2] - turn_y * dz),
        )
        e11 = e1x * e1x + e1y * e1y + e1z * e1z
        e12 = e1x * e2x + e1y * e2y + e1z * e2z
        e22 = e2x * e2x + e2y * e2y + e2z * e2z
        det = e11 * e22 - e12 * e12
        det = 1.0 / max(det, 1e-18)
        s1, s2 = e1x * sx + e1y * sy + e1z * sz, e2x * sx + e2y * sy + e2z * sz
        r1, r2 = e1x * rx + e1y * ry + e1z * rz, e2x * rx + e2y * ry + e2z * rz
        sb, sc = (e22 * s1 - e12 * s2) * det, (e11 * s2 - e12 * s1) * det
        rb, rc = (e22 * r1 - e12 * r2) * det, (e11 * r2 - e12 * r1) * det
        tx, ty, tz = texture[t, 0, 0], texture[t, 0, 1], texture[t, 0, 2]
        f1x, f1y, f1z = texture[t, 1, 0] - tx, texture[t, 1, 1] - ty, texture[t, 1, 2] - tz
        f2x, f2y, f2z = texture[t, 2, 0] - tx, texture[t, 2, 1] - ty, texture[t, 2, 2] - tz
        fx = abs(sb * f1x + sc * f2x) + abs(rb * f1x + rc * f2x)
        fy = abs(sb * f1y + sc * f2y) + abs(rb * f1y + rc * f2y)
        fz = abs(sb * f1z + sc * f2z) + abs(rb * f1z + rc * f2z)
        red, green, blue, mirror = pattern(
            materials[material[t]],
            lattice,
            float(tx + b * f1x + c * f2x),
            float(ty + b * f1y + c * f2y),
            float(tz + b * f1z + c * f2z),
            float(fx),
            float(fy),
            float(fz),
        )
        colours[i, 0], colours[i, 1], colours[i, 2], colours[i, 3] = red, green, blue, mirror
        nx = a * normals[t, 0, 0] + b * normals[t, 1, 0] + c * normals[t, 2, 0]
        ny = a * normals[t, 0, 1] + b * normals[t, 1, 1] + c * normals[t, 2, 1]
        nz = a * normals[t, 0, 2] + b * normals[t, 1, 2] + c * normals[t, 2, 2]
        length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
        if nx * dx + ny * dy + nz * dz > 0:
            length = -length
        facing[i, 0], facing[i, 1], facing[i, 2] = nx / length, ny / length, nz / length
        points[i, 0] = centre[0] + far * dx
        points[i, 1] = centre[1] + far * dy
        points[i, 2] = centre[2] + far * dz
    return points, facing, colours


@njit(cache=True, error_model="numpy", fastmath=True)
def _sky(
    light: NDArray[np.float64],
    lattice: NDArray[np.float32],
    x: float,
    y: float,
    z: float,
    detail: bool,
) -> tuple[float, float, float]:
    """Colour of the sky in a unit direction; below the horizon that of hazy ground."""
    up = max(z, 0.0)
    low = math.exp(-6.0 * up)
    red = 0.32 + 0.5 * low
    green = 0.5 + 0.36 * low
    blue = 0.88 + 0.06 * low
    if detail and light[5] > 0:
        scale = 1.0 / (up + 0.12)
        cloud = fractal_noise(lattice, x * scale + light[8], y * scale, light[8], 0.9, 4, 0.05)
        cover = min(max((cloud + light[5] - 0.45) * 2.2, 0.0), 1.0)
        white = 0.95 + 0.15 * cloud
        red += cover * (white - red)
        green += cover * (white - green)
        blue += cover * (white * 1.02 - blue)
    glow = light[6] * math.exp(4.0 * (x * light[0] + y * light[1] + z * light[2] - 1.0))
    return red + glow, green + glow, blue + 0.9 * glow


@njit(cache=True, error_model="numpy", fastmath=True)
def lit_colours(
    triangle: NDArray[np.int32],
    distance: NDArray[np.float32],
    directions: NDArray[np.float32],
    points: NDArray[np.float32],
    facing: NDArray[np.float32],
    colours: NDArray[np.float32],
    in_sun: NDArray[np.bool_],
    light: NDArray[np.float64],
    lattice: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Light that reaches the camera along each ray.

    Args:
        triangle: as in `surface_points`.
        distance: as in `surface_points`.
        directions: as in `surface_points`.
        points: from `surface_points`.
        facing: from `surface_points`, its normals.
        colours: from `surface_points`.
        in_sun: bool (N,), whether the sun reaches the point.
        light: as `Light.packed` gives it.
        lattice: of the noise.

    Returns:
        float32 (N, 3), linear RGB; 1 = where the camera saturates.
    """
    count = len(triangle)
    out = np.empty((count, 3), np.float32)
    for i in range(count):
        dx, dy, dz = float(directions[i, 0]), float(directions[i, 1]), float(directions[i, 2])
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        dx, dy, dz = dx / length, dy / length, dz / length
        if triangle[i] < 0:
            out[i, 0], out[i, 1], out[i, 2] = _sky(light, lattice, dx, dy, dz, True)
            continue
        nx, ny, nz = float(facing[i, 0]), float(facing[i, 1]), float(facing[i, 2])
        sun = (
            max(nx * light[0] + ny * light[1] + nz * light[2], 0.0) * light[3] if in_sun[i] else 0.0
        )
        # Sky from above, warm light that the ground throws back from below; low places see less of
        # both.
        upward = 0.5 + 0.5 * nz
        open_sky = light[4] * (
            0.55 + 0.45 * min(max(float(points[i, 2]) / 1.2, 0.0), 1.0) if nz < 0.7 else 1.0
        )
        red = float(colours[i, 0]) * (sun + open_sky * (0.85 * upward + 0.32 * (1 - upward)))
        green = float(colours[i, 1]) * (
            0.95 * sun + open_sky * (0.95 * upward + 0.3 * (1 - upward))
        )
        blue = float(colours[i, 2]) * (0.86 * sun + open_sky * (1.1 * upward + 0.27 * (1 - upward)))
        mirror = float(colours[i, 3])
        if mirror > 0.0:
            along = dx * nx + dy * ny + dz * nz
            mx, my, mz = dx - 2 * along * nx, dy - 2 * along * ny, dz - 2 * along * nz
            share = mirror + (1.0 - mirror) * (1.0 - min(-along, 1.0)) ** 5 * min(4.0 * mirror, 0.6)
            # Houses opposite: a dark skyline that depends on where the ray leaves, so mirrors move
            # against the surface.
            px = points[i, 0] + 9.0 * mx
            py = points[i, 1] + 9.0 * my
            skyline = 0.35 + 0.25 * fractal_noise(lattice, px, py, 3.1, 0.12, 3, 0.05)
            if mz > skyline:
                mr, mg, mb = _sky(light, lattice, mx, my, mz, True)
            elif mz > -0.05:
                wall = 0.16 + 0.14 * fractal_noise(
                    lattice, px, py, points[i, 2] + 9.0 * mz, 0.45, 4, 0.05
                )
                mr, mg, mb = 1.1 * wall, wall, 0.9 * wall
            else:
                mr, mg, mb = 0.13, 0.13, 0.13
            if in_sun[i]:
                shine = mx * light[0] + my * light[1] + mz * light[2]
                if shine > 0.98:
                    shine = math.exp(900.0 * (shine - 1.0)) * 12.0 * light[3]
                    mr, mg, mb = mr + shine, mg + shine, mb + shine
            red += share * (mr - red)
            green += share * (mg - green)
            blue += share * (mb - blue)
        air = 1.0 - math.exp(-light[7] * float(distance[i]) * length)
        out[i, 0] = red + air * (0.75 - red)
        out[i, 1] = green + air * (0.82 - green)
        out[i, 2] = blue + air * (0.9 - blue)
    return out
