"""What stands along the street: trees with leaves, lamp posts, signs, fences of thin bars.

`street` places them; the traffic sampler keeps everything clear of their footprints.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.materials import Kind, MaterialTable
from cups_training.synthetic.meshes import Mesh, ball, box, joined, triangles, tube
from cups_training.synthetic.settings import DriveSettings

POST_LINE_M = 6.25
"""Distance of trees, posts and signs from the street's centre, metres."""
_GROUND_M = 0.12


@dataclass(frozen=True, eq=False)
class Furniture:
    """Posts, trunks and fences.

    Attributes:
        mesh: in street coordinates.
        places: float64 (N, 2), street coordinates of the footprints.
        half_sizes: float64 (N, 2), along and across, metres.
    """

    mesh: Mesh
    places: NDArray[np.float64]
    half_sizes: NDArray[np.float64]


def furnish(
    random: np.random.Generator,
    materials: MaterialTable,
    settings: DriveSettings,
    extent: tuple[float, float],
    junction: float,
    crosswalk: float,
) -> Furniture:
    """Furnish both pavements over `extent` (along, metres), clear of the junction."""
    meshes: list[Mesh] = []
    places: list[tuple[float, float]] = []
    sizes: list[tuple[float, float]] = []
    metal = materials.add(Kind.PLAIN, (0.2, 0.21, 0.22), roughness=0.1, mirror=0.05)
    bark = materials.add(Kind.PLAIN, (0.17, 0.13, 0.09), roughness=0.8, frequency=6.0)
    leaf_tone = np.array([0.1, 0.2, 0.035]) * random.uniform(0.7, 1.5)
    leaf = materials.add(Kind.PLAIN, tuple(leaf_tone), roughness=1.0, frequency=1.4)
    rims = ((0.5, 0.02, 0.02), (0.02, 0.06, 0.4), (0.6, 0.5, 0.05))
    for sign in (-1, 1):
        at = extent[0] + random.uniform(0, 6)
        while at < extent[1]:
            clear = not crosswalk - 2.5 < at < junction + 9.0
            place = (at, sign * POST_LINE_M)
            draw = random.random()
            if clear and draw < 0.45:
                meshes.append(_tree(random, settings, place, bark, leaf))
                places.append(place)
                sizes.append((0.3, 0.3))
            elif clear and settings.thin_structures and draw < 0.7:
                meshes.append(_lamp(place, -sign, metal))
                places.append(place)
                sizes.append((0.15, 0.15))
            elif clear and settings.thin_structures:
                rim = rims[random.integers(len(rims))]
                face = materials.add(
                    Kind.SIGN, rim, (0.75, 0.75, 0.75), parameters=(0.32, 0.07), roughness=0.0
                )
                meshes.append(_sign(place, metal, face))
                places.append(place)
                sizes.append((0.15, 0.4))
            at += random.uniform(4.0, 10.0)
        if settings.thin_structures:
            start = random.uniform(extent[0], 0.6 * crosswalk)
            stop = min(start + random.uniform(8.0, 16.0), crosswalk - 3.0)
            if stop > start + 2.0:
                # A fence stands behind the pavement, where nobody walks.
                meshes.append(_fence(start, stop, sign * 8.9, metal))
                places.append((0.5 * (start + stop), sign * 8.9))
                sizes.append((0.5 * (stop - start), 0.1))
    if not meshes:
        meshes.append(ball((extent[0], 0.0, -1.0), (0.01, 0.01, 0.01), metal, StreetClass.POLE))
    return Furniture(
        joined(meshes), np.array(places).reshape(-1, 2), np.array(sizes).reshape(-1, 2)
    )


def _tree(
    random: np.random.Generator,
    settings: DriveSettings,
    place: tuple[float, float],
    bark: int,
    leaf: int,
) -> Mesh:
    x, y = place
    height = random.uniform(2.3, 3.6)
    radius = random.uniform(1.3, 2.1)
    lean = random.uniform(-0.15, 0.15, 2)
    top = (x + lean[0], y + lean[1], height + radius)
    parts = [
        tube(
            [(x, y, _GROUND_M), (x + 0.5 * lean[0], y + 0.5 * lean[1], height), top],
            [random.uniform(0.12, 0.2), 0.1, 0.03],
            bark,
            StreetClass.VEGETATION,
        )
    ]
    centre = np.array([x + lean[0], y + lean[1], height + 0.9 * radius])
    for _ in range(5):
        end = centre + random.normal(0, 0.45 * radius, 3)
        parts.append(
            tube(
                [(x + 0.5 * lean[0], y + 0.5 * lean[1], height - 0.3), tuple(end)],
                [0.05, 0.015],
                bark,
                StreetClass.VEGETATION,
                sides=5,
                capped=False,
            )
        )
    if not settings.leaf_holes:
        parts.append(
            ball(tuple(centre), (radius, radius, radius), leaf, StreetClass.VEGETATION, sides=16)
        )
        return joined(parts)
    # Leaves in tufts: dense clumps with holes between them, as crowns have.
    tufts = centre + random.normal(0, 0.5 * radius, (26, 3)) * (1.0, 1.0, 0.85)
    where = np.repeat(tufts, 88, axis=0) + random.normal(0, 0.24 * radius, (26 * 88, 3))
    size = random.uniform(0.07, 0.16, (len(where), 1, 1))
    parts.append(
        triangles(
            where[:, None] + size * random.normal(0, 0.75, (len(where), 3, 3)),
            leaf,
            StreetClass.VEGETATION,
        )
    )
    return joined(parts)


def _lamp(place: tuple[float, float], towards: int, metal: int) -> Mesh:
    x, y = place
    return joined(
        [
            tube(
                [(x, y, _GROUND_M), (x, y, 1.0), (x, y, 5.4)],
                [0.09, 0.06, 0.05],
                metal,
                StreetClass.POLE,
            ),
            tube(
                [(x, y, 5.4), (x, y + 1.6 * towards, 5.7)], 0.04, metal, StreetClass.POLE, sides=6
            ),
            box(
                (x - 0.12, min(y + 1.2 * towards, y + 2.0 * towards), 5.6),
                (x + 0.12, max(y + 1.2 * towards, y + 2.0 * towards), 5.75),
                metal,
                StreetClass.POLE,
            ),
        ]
    )


def _sign(place: tuple[float, float], metal: int, face: int) -> Mesh:
    x, y = place
    pole = tube([(x, y, _GROUND_M), (x, y, 2.6)], 0.03, metal, StreetClass.POLE, sides=6)
    disc = tube(
        [(x - 0.06, y, 2.4), (x - 0.035, y, 2.4)], 0.32, face, StreetClass.TRAFFIC_SIGN, sides=20
    )
    at = np.array([x, y, 2.4], np.float32)
    return joined(
        [pole, Mesh(disc.corners, disc.normals, disc.corners - at, disc.material, disc.semantic)]
    )


def _fence(start: float, stop: float, left: float, metal: int) -> Mesh:
    bar = tube(
        [(0.0, left, _GROUND_M), (0.0, left, 1.15)],
        0.011,
        metal,
        StreetClass.FENCE,
        sides=4,
        capped=False,
    )
    bars = [bar.moved(np.eye(3), (x, 0.0, 0.0)) for x in np.arange(start, stop, 0.13)]
    cuts = np.append(np.arange(start, stop, 2.0), stop)
    rails = [
        box((a, left - 0.015, z), (b, left + 0.015, z + 0.04), metal, StreetClass.FENCE)
        for z in (0.3, 1.1)
        for a, b in itertools.pairwise(cuts)
    ]
    return joined([*bars, *rails])
