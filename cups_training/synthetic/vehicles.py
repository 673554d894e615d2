"""Bodies of cars, vans and bicycles with riders: lofted shells, glass, wheels that turn.

The traffic sampler draws them; sizes and colours come from its random generator.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from cups_training.synthetic.actors import Body, Limb
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.materials import Kind, MaterialTable
from cups_training.synthetic.meshes import Mesh, box, grid, joined, triangles, tube

_PAINTS = (
    (0.75, 0.75, 0.76),
    (0.45, 0.46, 0.48),
    (0.12, 0.12, 0.13),
    (0.03, 0.03, 0.035),
    (0.03, 0.06, 0.22),
    (0.38, 0.02, 0.02),
    (0.05, 0.12, 0.07),
    (0.3, 0.24, 0.15),
    (0.15, 0.25, 0.4),
    (0.5, 0.3, 0.04),
)


def car(random: np.random.Generator, materials: MaterialTable, *, mirror: float) -> Body:
    """A passenger car: saloon, estate or hatchback."""
    length = random.uniform(3.7, 4.7)
    width = random.uniform(1.68, 1.85)
    roof = random.uniform(1.42, 1.6)
    belt = 0.62 * roof
    front, rear = 0.5 * length, -0.5 * length
    back_slope = random.choice([0.12, 0.35, 0.8])
    stations = np.array(
        [rear, rear + 0.12, rear + 0.75, -0.2, front - 1.3, front - 0.35, front - 0.08, front]
    )
    tops = np.array(
        [belt - 0.2, belt - 0.03, belt, belt, belt - 0.01, belt - 0.18, belt - 0.3, belt - 0.42]
    )
    halves = 0.5 * width * np.array([0.84, 0.93, 0.99, 1.0, 1.0, 0.96, 0.86, 0.72])
    # Cabin outline along x: foot of the rear window, roof ends, foot of the windscreen.
    cabin = np.array([rear + 0.1, rear + 0.1 + back_slope, front - 2.05, front - 1.2])
    return _vehicle(
        random, materials, "car", stations, tops, halves, belt, roof, cabin, 0.31, mirror
    )


def van(random: np.random.Generator, materials: MaterialTable, *, mirror: float) -> Body:
    """A delivery van."""
    length = random.uniform(4.9, 5.6)
    width = random.uniform(1.9, 2.0)
    roof = random.uniform(2.0, 2.4)
    belt = 1.15
    front, rear = 0.5 * length, -0.5 * length
    stations = np.array(
        [rear, rear + 0.08, rear + 0.6, 0.0, front - 1.1, front - 0.5, front - 0.1, front]
    )
    tops = np.array([belt, belt, belt, belt, belt, belt - 0.12, belt - 0.3, belt - 0.5])
    halves = 0.5 * width * np.array([0.95, 0.99, 1.0, 1.0, 1.0, 0.97, 0.9, 0.8])
    cabin = np.array([rear + 0.02, rear + 0.1, front - 1.45, front - 0.75])
    return _vehicle(
        random, materials, "van", stations, tops, halves, belt, roof, cabin, 0.34, mirror
    )


def _vehicle(
    random: np.random.Generator,
    materials: MaterialTable,
    kind: str,
    stations: np.ndarray,
    tops: np.ndarray,
    halves: np.ndarray,
    belt: float,
    roof: float,
    cabin: np.ndarray,
    wheel: float,
    mirror: float,
) -> Body:
    half_length = float(stations[-1])
    half_width = float(halves.max())
    paint = (
        _PAINTS[random.integers(len(_PAINTS))]
        if kind == "car" or random.random() < 0.4
        else _PAINTS[0]
    )
    axles = (half_length - 0.82, -half_length + 0.85)
    dirt = 0.12
    body_paint = materials.add(
        Kind.CAR_BODY,
        paint,
        tuple(0.3 * c for c in paint),
        roughness=dirt,
        frequency=1.2,
        mirror=0.25 * mirror,
        parameters=(
            half_length,
            *axles,
            wheel,
            belt,
            half_width,
            0.1 * half_length,
            -0.35 * half_length,
        ),
    )
    window_top = roof - 0.1
    pillars = (cabin[2] - 0.1, 0.5 * (cabin[1] + cabin[2]), cabin[1] + 0.1)
    # Half of the vans have no windows behind the driver.
    is_closed = kind == "van" and random.random() < 0.5
    glass = materials.add(
        Kind.CAR_CABIN,
        paint,
        (0.03, 0.03, 0.03),
        roughness=dirt,
        frequency=1.2,
        mirror=0.16 * mirror,
        parameters=(window_top, belt, *pillars, half_width),
    )
    blind = materials.add(Kind.PLAIN, paint, roughness=dirt, frequency=1.2, mirror=0.25 * mirror)
    rim = materials.add(
        Kind.WHEEL,
        (0.35, 0.35, 0.36),
        roughness=0.1,
        parameters=(0.66 * wheel, float(random.integers(5, 8))),
    )
    shell = [_lower_shell(stations, tops, halves, body_paint)]
    shell.append(_cabin(cabin, belt - 0.02, roof, half_width, glass, blind if is_closed else glass))
    if kind == "car":
        for side in (-1, 1):
            y = side * (half_width + 0.08)
            shell.append(
                box(
                    (cabin[3] - 0.35, y - 0.08, belt - 0.05),
                    (cabin[3] - 0.22, y + 0.08, belt + 0.09),
                    blind,
                    StreetClass.CAR,
                )
            )
    limbs = [Limb(joined(shell))]
    tyre = tube([(0.0, -0.1, 0.0), (0.0, 0.1, 0.0)], wheel, rim, StreetClass.CAR, sides=16)
    # The rim's pattern is drawn around the axle.
    tyre = dataclasses.replace(tyre, texture=tyre.corners)
    for x in axles:
        for side in (-1, 1):
            centre = (x, side * (half_width - 0.13), wheel)
            limbs.append(Limb(tyre.moved(np.eye(3), centre), centre, roll_per_m=1.0 / wheel))
    return Body(kind, tuple(limbs), 2 * half_length, 2 * half_width)


def _lower_shell(stations: np.ndarray, tops: np.ndarray, halves: np.ndarray, material: int) -> Mesh:
    """The body below the windows: rounded sections from sill over the top to sill."""
    sections = []
    for x, top, half in zip(stations, tops, halves, strict=True):
        low = 0.2
        y = half * np.array([0.9, 0.97, 1.0, 0.985, 0.93, 0.8, 0.0])
        z = low + (top - low) * np.array([0.0, 0.12, 0.5, 0.82, 0.95, 1.0, 1.03])
        right = np.stack([np.full(7, x), -y, z], axis=1)
        left = np.stack([np.full(6, x), y[:-1][::-1], z[:-1][::-1]], axis=1)
        sections.append(np.concatenate([right, left]))
    points = np.array(sections)
    parts = [grid(points, material, StreetClass.CAR)]
    for end, order in ((0, -1), (-1, 1)):
        rim = points[end][::order]
        # From the middle of the sill the whole end is in view, so the fan closes it.
        middle = np.broadcast_to(0.5 * (rim[0] + rim[-1]), rim[1:].shape)
        parts.append(
            triangles(np.stack([middle, rim[:-1], rim[1:]], axis=1), material, StreetClass.CAR)
        )
    return joined(parts)


def _cabin(
    cabin: np.ndarray, belt: float, roof: float, half: float, glass: int, sides: int
) -> Mesh:
    """Windows and roof: windscreen, rear window and sides lean inwards."""
    low, high = 0.97 * half, 0.8 * half
    crown = roof - 0.06
    foot = [
        (cabin[0], low, belt),
        (cabin[3], low, belt),
        (cabin[3], -low, belt),
        (cabin[0], -low, belt),
    ]
    top = [
        (cabin[1], high, crown),
        (cabin[2], high, crown),
        (cabin[2], -high, crown),
        (cabin[1], -high, crown),
    ]
    ridge = [
        (cabin[1] + 0.15, 0.75 * high, roof),
        (cabin[2] - 0.15, 0.75 * high, roof),
        (cabin[2] - 0.15, -0.75 * high, roof),
        (cabin[1] + 0.15, -0.75 * high, roof),
    ]
    meshes = []
    for i in range(4):
        j = (i + 1) % 4
        material = glass if i == 1 else sides
        corners = np.array([[foot[j], foot[i], top[i], top[j]]])
        meshes.append(_flat(corners, material))
        meshes.append(_flat(np.array([[top[j], top[i], ridge[i], ridge[j]]]), sides))
    meshes.append(_flat(np.array([ridge[::-1]]), sides))
    return joined(meshes)


def _flat(corners: np.ndarray, material: int) -> Mesh:
    return triangles(
        corners[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3), material, StreetClass.CAR
    )
