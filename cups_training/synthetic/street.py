"""The street itself: carriageway, kerbs, pavements, junction, houses; laid out straight, bent.

The scene sampler makes one per drive; the traffic sampler asks it where lanes, lots and crossings
are.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cups_training.synthetic.centerline import CenterLine
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.furniture import Furniture, furnish
from cups_training.synthetic.materials import Kind, MaterialTable
from cups_training.synthetic.meshes import Mesh, box, grid, joined, quads
from cups_training.synthetic.settings import DriveSettings

LANE_M = 3.5
CARRIAGEWAY_HALF_M = 5.7
KERB_M = 0.12
FACADE_M = 9.6
JUNCTION_HALF_M = 5.0
BEHIND_M = 25.0
AHEAD_M = 130.0
_CROSS_REACH_M = 70.0

_WALLS = (
    (0.55, 0.42, 0.3),
    (0.6, 0.55, 0.45),
    (0.42, 0.2, 0.14),
    (0.66, 0.64, 0.6),
    (0.5, 0.5, 0.42),
    (0.35, 0.3, 0.26),
    (0.62, 0.5, 0.38),
    (0.3, 0.33, 0.36),
    (0.6, 0.38, 0.3),
)


@dataclass(frozen=True, eq=False)
class Street:
    """A street.

    Attributes:
        line: its centre line.
        mesh: everything that never moves and is not an instance, in the world.
        furniture: posts and trunks with their footprints.
        junction_m: centre of the crossing street, along.
        crosswalk_m: start of the zebra crossing, 3 m long, along.
        end_m: where the houses end, along.
    """

    line: CenterLine
    mesh: Mesh
    furniture: Furniture
    junction_m: float
    crosswalk_m: float
    end_m: float

    def in_junction(self, along: float, margin_m: float = 0.0) -> bool:
        """Whether a place along the street lies in the junction or on its zebra crossing."""
        return (
            self.crosswalk_m - 1.0 - margin_m < along < self.junction_m + JUNCTION_HALF_M + margin_m
        )


def build_street(
    random: np.random.Generator,
    materials: MaterialTable,
    settings: DriveSettings,
    ego_reach_m: float,
) -> Street:
    """Sample a street long enough for an ego that covers `ego_reach_m`."""
    end = ego_reach_m + AHEAD_M
    junction = ego_reach_m + random.uniform(13.0, 30.0)
    crosswalk = junction - JUNCTION_HALF_M - 4.5
    line = _sample_line(random, settings, junction, crosswalk)
    parts = [
        *_ground(random, materials, end, junction, crosswalk),
        *_houses(random, materials, settings, end, junction),
    ]
    furniture = furnish(random, materials, settings, (-BEHIND_M, end), junction, crosswalk)
    mesh = joined([line.bent(joined([*parts, furniture.mesh])), _backdrop(materials)])
    return Street(line, mesh, furniture, junction, crosswalk, end)


def _backdrop(materials: MaterialTable) -> Mesh:
    """Ground below everything, so that no gap between houses shows the sky under the horizon."""
    meadow = materials.add(Kind.PLAIN, (0.16, 0.17, 0.08), roughness=0.5, frequency=0.3)
    at = np.arange(-400.0, 801.0, 60.0)
    return _strip(at, np.arange(-600.0, 601.0, 60.0), -0.1, meadow, StreetClass.TERRAIN)


def _sample_line(
    random: np.random.Generator, settings: DriveSettings, junction: float, crosswalk: float
) -> CenterLine:
    angle = np.radians(random.uniform(15.0, 50.0)) * random.choice([-1.0, 1.0])
    radius = random.uniform(28.0, 90.0)
    after = junction + JUNCTION_HALF_M + 16.0
    if not settings.turns or random.random() < 0.25:
        return CenterLine(after, 1.0, 0.0)
    if random.random() < 0.5:
        # The ego itself drives the bend, the straight with the junction follows.
        length = min(abs(angle) * radius, max(crosswalk - 9.0, 5.0))
        return CenterLine(crosswalk - 9.0 - length, length, float(np.sign(angle) / radius))
    return CenterLine(after, float(abs(angle) * radius), float(np.sign(angle) / radius))


def _strip(
    along: np.ndarray, left: np.ndarray, height: float, material: int, semantic: StreetClass
) -> Mesh:
    points = np.stack(np.broadcast_arrays(along[:, None], left[None, :], height), axis=-1)
    return grid(points, material, semantic, smooth=False)


def _ground(
    random: np.random.Generator,
    materials: MaterialTable,
    end: float,
    junction: float,
    crosswalk: float,
) -> list[Mesh]:
    grey = random.uniform(0.09, 0.17)
    road = materials.add(
        Kind.ROAD,
        (grey, grey, grey * 1.03),
        (0.62, 0.62, 0.6),
        roughness=random.uniform(0.4, 0.8),
        frequency=1.7,
        parameters=(LANE_M, junction, JUNCTION_HALF_M + 1.0, crosswalk, CARRIAGEWAY_HALF_M),
    )
    tone = random.uniform(0.26, 0.4)
    tiles = materials.add(
        Kind.TILES,
        (tone, tone * 0.97, tone * 0.92),
        (0.12, 0.12, 0.11),
        roughness=0.3,
        frequency=2.5,
        parameters=(float(random.choice([0.3, 0.5, 0.75])),),
    )
    stone = materials.add(Kind.PLAIN, (0.4, 0.4, 0.39), roughness=0.35, frequency=3.0)
    low, high = junction - JUNCTION_HALF_M, junction + JUNCTION_HALF_M
    half, reach = CARRIAGEWAY_HALF_M, _CROSS_REACH_M
    parts = [
        _strip(
            np.arange(-BEHIND_M, end + 40.0, 2.0),
            np.linspace(-half, half, 7),
            0.0,
            road,
            StreetClass.ROAD,
        )
    ]
    for sign in (-1, 1):
        side = sign * np.linspace(half, reach, 14)
        parts.append(_strip(np.array([low, high]), np.sort(side), 0.0, road, StreetClass.ROAD))
        for start, stop in ((-BEHIND_M, low), (high, end + 40.0)):
            along = np.append(np.arange(start, stop, 2.0), stop)
            walk = sign * np.array([half + 0.15, half + 2.0, FACADE_M + 2.0, 24.0])
            parts.append(_strip(along, np.sort(walk), KERB_M, tiles, StreetClass.SIDEWALK))
            rim = np.sort(sign * np.array([half, half + 0.15]))
            parts.append(_strip(along, rim, KERB_M, stone, StreetClass.SIDEWALK))
            wall = np.array(
                [
                    [
                        (a, sign * half, 0),
                        (b, sign * half, 0),
                        (b, sign * half, KERB_M),
                        (a, sign * half, KERB_M),
                    ]
                    for a, b in itertools.pairwise(along)
                ]
            )
            parts.append(quads(wall, stone, StreetClass.SIDEWALK))
        for edge in (low, high):
            left = np.linspace(half, reach, 14) * sign
            parts.append(
                quads(
                    [
                        [(edge, a, 0), (edge, b, 0), (edge, b, KERB_M), (edge, a, KERB_M)]
                        for a, b in itertools.pairwise(left)
                    ],
                    stone,
                    StreetClass.SIDEWALK,
                )
            )
    return parts


def _houses(
    random: np.random.Generator,
    materials: MaterialTable,
    settings: DriveSettings,
    end: float,
    junction: float,
) -> list[Mesh]:
    parts: list[Mesh] = []
    low, high = junction - JUNCTION_HALF_M - 3.4, junction + JUNCTION_HALF_M + 3.4
    for sign in (-1, 1):
        for start, stop in ((-BEHIND_M, low), (high, end)):
            # Rows start at the junction so that its corners are built up.
            at, step = (stop, -1) if stop == low else (start, 1)
            while start < at < stop or at in (start, stop):
                width = random.uniform(9.0, 20.0)
                a, b = sorted((at, at + step * width))
                if random.random() < 0.88 or at in (low, high):
                    parts += _house(
                        random, materials, settings, (max(a, start), min(b, stop)), sign
                    )
                else:
                    parts.append(_hedge(random, materials, (max(a, start), min(b, stop)), sign))
                at += step * width
                if not start < at < stop:
                    break
        # Houses along the crossing street, seen when one looks into it.
        for edge, face in ((low, -1), (high, 1)):
            at = FACADE_M + 12.0
            while at < _CROSS_REACH_M:
                width = random.uniform(8.0, 15.0)
                wall = _wall(random, materials, settings)
                height = random.uniform(7.0, 15.0)
                a, b = sorted((sign * at, sign * (at + width - 0.2)))
                x0, x1 = sorted((edge, edge + face * 9.0))
                parts.append(_walls((x0, a), (x1, b), height, wall))
                at += width
    far = materials.add(
        Kind.FACADE,
        (0.5, 0.47, 0.42),
        (0.7, 0.7, 0.7),
        roughness=0.2,
        frequency=0.4,
        parameters=(2.6, 3.1, 1.2, 1.6, 0.0, 3.4, 1.0),
        mirror=0.1,
    )
    for at in np.arange(-80.0, 80.0, 16.0):
        x = end + 12.0 + random.uniform(0, 15)
        parts.append(_walls((x, at), (x + 8.0, at + 16.0), random.uniform(9.0, 19.0), far))
    return parts


def _wall(random: np.random.Generator, materials: MaterialTable, settings: DriveSettings) -> int:
    colour = np.array(_WALLS[random.integers(len(_WALLS))]) * random.uniform(0.75, 1.1)
    if settings.plain_walls and random.random() < 0.22:
        return materials.add(Kind.FACADE, tuple(colour), roughness=0.0, parameters=(0.0,))
    brick = float(random.choice([0.0, 0.0, 0.075, 0.1]))
    alike = float(settings.repeated_windows and random.random() < 0.6)
    period, storey = random.uniform(1.9, 3.2), random.uniform(2.8, 3.5)
    return materials.add(
        Kind.FACADE,
        tuple(colour),
        tuple(np.clip(colour * random.uniform(1.2, 1.6), 0, 0.85)),
        roughness=random.uniform(0.1, 0.4),
        frequency=random.uniform(0.4, 1.2),
        mirror=0.25 if settings.reflections else 0.0,
        parameters=(
            period,
            storey,
            period * random.uniform(0.35, 0.6),
            storey * random.uniform(0.4, 0.55),
            brick,
            random.uniform(3.2, 4.2),
            alike,
        ),
    )


def _house(
    random: np.random.Generator,
    materials: MaterialTable,
    settings: DriveSettings,
    along: tuple[float, float],
    sign: int,
) -> list[Mesh]:
    if along[1] - along[0] < 2.0:
        return []
    front = FACADE_M + random.uniform(-0.3, 1.6)
    height = random.uniform(6.5, 16.0)
    wall = _wall(random, materials, settings)
    a, b = sorted((sign * front, sign * (front + 11.0)))
    parts = [_walls((along[0], a), (along[1], b), height, wall)]
    stone = materials.add(Kind.PLAIN, tuple(random.uniform(0.2, 0.5, 3)), roughness=0.2)
    y0, y1 = sorted((sign * (front - 0.35), sign * front))
    parts.append(
        box((along[0], y0, height - 0.4), (along[1], y1, height), stone, StreetClass.BUILDING)
    )
    if random.random() < 0.35:
        # Balconies break the plane of the facade.
        for storey in range(1, int(height / 3.2)):
            for x in np.arange(along[0] + 1.5, along[1] - 3.0, 5.0):
                y0, y1 = sorted((sign * (front - 1.0), sign * front))
                z = 0.4 + 3.2 * storey
                parts.append(box((x, y0, z), (x + 2.4, y1, z + 1.0), stone, StreetClass.BUILDING))
    return parts


def _walls(
    low: tuple[float, float], high: tuple[float, float], height: float, material: int
) -> Mesh:
    """Four walls and a roof, cut along so that they bend; texture runs along and up."""
    (x0, y0), (x1, y1) = low, high
    faces, texture = [], []
    cuts = np.linspace(x0, x1, max(int((x1 - x0) / 4.0), 1) + 1)
    for y, flip in ((y0, False), (y1, True)):
        for a, b in itertools.pairwise(cuts):
            p, q = (b, a) if flip else (a, b)
            faces.append([(p, y, 0), (q, y, 0), (q, y, height), (p, y, height)])
            texture.append(
                [(p - x0, 0, 0), (q - x0, 0, 0), (q - x0, 0, height), (p - x0, 0, height)]
            )
    for x, flip in ((x0, True), (x1, False)):
        p, q = (y1, y0) if flip else (y0, y1)
        faces.append([(x, p, 0), (x, q, 0), (x, q, height), (x, p, height)])
        texture.append([(p - y0, 0, 0), (q - y0, 0, 0), (q - y0, 0, height), (p - y0, 0, height)])
    for a, b in itertools.pairwise(cuts):
        faces.append([(a, y0, height), (b, y0, height), (b, y1, height), (a, y1, height)])
        texture.append([(a, 0, height + 9)] * 4)
    return quads(faces, material, StreetClass.BUILDING, texture)


def _hedge(
    random: np.random.Generator, materials: MaterialTable, along: tuple[float, float], sign: int
) -> Mesh:
    green = materials.add(Kind.PLAIN, (0.08, 0.16, 0.04), roughness=0.9, frequency=3.0)
    y0, y1 = sorted((sign * FACADE_M, sign * (FACADE_M + 1.0)))
    top = random.uniform(1.6, 2.6)
    cuts = np.linspace(*along, max(int((along[1] - along[0]) / 3.0), 1) + 1)
    return joined(
        [
            box((a, y0, 0), (b, y1, top), green, StreetClass.VEGETATION)
            for a, b in itertools.pairwise(cuts)
        ]
    )
