"""Materials of the street: a table of rows, and the compiled pattern of each kind of material.

The models add rows while the street is built; `shading` evaluates `pattern` once per pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cups_training.synthetic.noise import band, fractal_noise, stripes

Colour = Sequence[float]


class Kind(IntEnum):
    """What a surface is made of; the parameters of each kind are documented in `pattern`."""

    PLAIN = 0
    ROAD = 1
    TILES = 2
    FACADE = 3
    CAR_BODY = 4
    CAR_CABIN = 5
    WHEEL = 6
    SIGN = 7
    CLOTH = 8


_PARAMETERS = 8
_COLUMNS = 1 + 3 + 3 + 3 + 1 + _PARAMETERS


class MaterialTable:
    """Rows of materials in the order in which they were added."""

    def __init__(self) -> None:
        self._rows: list[list[float]] = []

    def add(
        self,
        kind: Kind,
        colour: Colour,
        second: Colour = (0.0, 0.0, 0.0),
        *,
        parameters: Sequence[float] = (),
        roughness: float = 0.2,
        frequency: float = 2.0,
        mirror: float = 0.0,
    ) -> int:
        """Append a material.

        Args:
            kind: which pattern.
            colour: linear RGB reflectance, 0 to 1.
            second: colour of the pattern's other part.
            parameters: up to eight numbers, their meaning depends on the kind.
            roughness: contrast of the surface's noise, 0 = none.
            frequency: its lowest frequency, cycles per metre.
            mirror: share of light that is mirrored at right angle; it rises towards grazing angles.

        Returns:
            Its row.
        """
        filled = [*map(float, parameters), *[0.0] * (_PARAMETERS - len(parameters))]
        offset = 1.37 * len(self._rows)
        self._rows.append(
            [float(kind), *colour, *second, roughness, frequency, mirror, offset, *filled]
        )
        return len(self._rows) - 1

    def rows(self) -> NDArray[np.float32]:
        """float32 (M, columns), one row per material."""
        return np.array(self._rows, np.float32).reshape(-1, _COLUMNS)


@njit(cache=True, error_model="numpy", fastmath=True)
def pattern(
    row: NDArray[np.float32],
    lattice: NDArray[np.float32],
    x: float,
    y: float,
    z: float,
    fx: float,
    fy: float,
    fz: float,
) -> tuple[float, float, float, float]:
    """Reflectance and mirror share of a surface point.

    Args:
        row: of the material table.
        lattice: of the noise.
        x: texture coordinate, metres.
        y: texture coordinate, metres.
        z: texture coordinate, metres.
        fx: extent of the pixel along x, metres.
        fy: extent of the pixel along y, metres.
        fz: extent of the pixel along z, metres.

    Returns:
        (red, green, blue, mirror).
    """
    kind = int(row[0])
    r, g, b = row[1], row[2], row[3]
    r2, g2, b2 = row[4], row[5], row[6]
    roughness, frequency, mirror, offset = row[7], row[8], row[9], row[10]
    p = row[11:]
    spread = (fx + fy + fz) * 0.6
    grain = 0.0
    if roughness > 0.0:
        grain = roughness * fractal_noise(lattice, x + offset, y, z + offset, frequency, 6, spread)
    mix = 0.0

    if kind == Kind.ROAD:
        mix, grain = _road(p, lattice, x, y, fx, fy, spread, grain, roughness)
    elif kind == Kind.TILES:
        # p0 = tile size; joints in the second colour, tiles differ in brightness.
        joint = stripes(x, p[0], 0.025, fx) + stripes(y, p[0], 0.025, fy)
        mix = min(joint, 1.0) * 0.8
        if spread < p[0]:
            shade = (
                math.sin(math.floor(x / p[0]) * 12.9898 + math.floor(y / p[0]) * 78.233)
                * 43758.5453
            )
            grain += 0.25 * (shade - math.floor(shade) - 0.5) * (1.0 - spread / p[0])
    elif kind == Kind.FACADE:
        return _facade(p, lattice, r, g, b, r2, g2, b2, x, z, fx, fz, grain, mirror)
    elif kind == Kind.CAR_BODY:
        # p0 = half length, p1/p2 = axle positions, p3 = wheel radius, p4 = belt height, p5 = half
        # width.
        arch = min((x - p[1]) ** 2, (x - p[2]) ** 2) + (z - p[3]) ** 2
        dark = arch < (1.22 * p[3]) ** 2 and abs(y) > p[5] - 0.2
        if dark or z < 0.28:
            return 0.02, 0.02, 0.02, 0.0
        end = abs(x) > p[0] - 0.25
        if end and abs(y) > p[5] - 0.42 and p[4] - 0.32 < z < p[4] - 0.12:
            if x > 0:
                return 0.75, 0.75, 0.7, 0.3
            return 0.45, 0.03, 0.02, 0.2
        if end and abs(y) < 0.26 and 0.45 < z < 0.57:
            letter = stripes(y + 0.3, 0.075, 0.03, fy)
            return 0.7 - 0.6 * letter, 0.7 - 0.6 * letter, 0.68 - 0.6 * letter, 0.0
        if x > p[0] - 0.2 and abs(y) < 0.5 and 0.58 < z < p[4] - 0.15:
            return 0.03, 0.03, 0.03, 0.1
        seam = band(abs(x - p[6]), 0.0, 0.008, fx) + band(abs(x - p[7]), 0.0, 0.008, fx)
        seam += band(abs(z - 0.45), 0.0, 0.01, fz)
        mix = min(seam, 1.0)
    elif kind == Kind.CAR_CABIN:
        # p0 = roof height below which the windows begin, p1 = belt height, p2..p4 = pillars along
        # x, p5 = half width.
        pillar = band(abs(x - p[2]), 0.0, 0.05, fx) + band(abs(x - p[3]), 0.0, 0.04, fx)
        pillar += band(abs(x - p[4]), 0.0, 0.07, fx)
        paint = p[1] + 0.04 > z or z > p[0]
        if not paint and (pillar < 0.5 or abs(y) < p[5] - 0.3):
            seat = 0.5 + 0.5 * fractal_noise(lattice, x + offset, y, z, 2.5, 2, spread)
            return (
                0.015 + 0.05 * seat,
                0.017 + 0.05 * seat,
                0.02 + 0.05 * seat,
                max(mirror, 0.0) * 1.6,
            )
        mix = 0.3 if not paint else 0.0
    elif kind == Kind.WHEEL:
        # p0 = rim radius, p1 = spokes; texture = (x, y, z) around the axle.
        radius = math.sqrt(x * x + z * z)
        if radius > p[0]:
            return 0.025, 0.025, 0.027, 0.0
        spoke = math.cos(p[1] * math.atan2(z, x))
        if spoke < 0.1 and radius > 0.25 * p[0] and radius < 0.88 * p[0]:
            return 0.03, 0.03, 0.03, 0.0
    elif kind == Kind.SIGN:
        # p0 = radius of the disc, p1 = width of the rim; texture = (y, z) around its centre.
        radius = math.sqrt(y * y + z * z)
        mix = band(radius, 0.0, p[0] - p[1], fy)
        if mix > 0.5 and abs(y) < 0.55 * p[0] and abs(z) < 0.12 * p[0]:
            return 0.03, 0.03, 0.03, 0.0
    elif kind == Kind.CLOTH and p[0] > 0:
        # p0 = period of the stripes (0 = none), p1 = their share.
        mix = p[1] * stripes(z, p[0], 0.5 * p[0], fz)

    shade = max(1.0 + grain, 0.05)
    return (
        min(max((r + mix * (r2 - r)) * shade, 0.0), 1.0),
        min(max((g + mix * (g2 - g)) * shade, 0.0), 1.0),
        min(max((b + mix * (b2 - b)) * shade, 0.0), 1.0),
        mirror,
    )


@njit(cache=True, error_model="numpy", fastmath=True)
def _road(
    p: NDArray[np.float32],
    lattice: NDArray[np.float32],
    x: float,
    y: float,
    fx: float,
    fy: float,
    spread: float,
    grain: float,
    roughness: float,
) -> tuple[float, float]:
    # p0 = half width of the lanes, p1 = junction centre, p2 = its half length, p3 = start of the
    # crosswalk, p4 = the carriageway's half width. Texture = street coordinates (along, left).
    patch = fractal_noise(lattice, x * 0.6, y + 3.0, 7.7, 0.25, 2, spread)
    grain += 0.5 * roughness * patch
    # Tar seams follow the zero line of slow noise, as cracks do.
    if spread < 0.15:
        crack = abs(fractal_noise(lattice, x, y, 21.3, 0.35, 3, spread))
        if crack < 0.02:
            grain -= 0.3 * (1.0 - spread / 0.15)
    paint = 0.0
    if abs(x - p[1]) > p[2]:
        paint += stripes(x, 6.0, 3.0, fx) * band(abs(y), 0.0, 0.07, fy)
        paint += band(abs(y), p[0] - 0.06, p[0] + 0.06, fy) * 0.9
        # Parking lots of 6 m.
        paint += stripes(x + 0.05, 6.0, 0.1, fx) * band(abs(y), p[0], p[4] - 0.1, fy) * 0.8
    crossing = band(x, p[3], p[3] + 3.0, fx) * band(abs(y), 0.0, p[4] - 0.3, fy)
    paint = max(paint * (1.0 - crossing), crossing * stripes(y + 0.25, 1.0, 0.5, fy))
    paint += band(x, p[3] - 1.6, p[3] - 1.2, fx) * band(y, -p[0], 0.0, fy)
    if paint < 0.01:
        return 0.0, grain
    worn = 0.85 + 0.5 * fractal_noise(lattice, x, y, 2.0, 1.5, 4, spread)
    return min(max(paint, 0.0), 1.0) * min(max(worn, 0.3), 1.0), grain


@njit(cache=True, error_model="numpy", fastmath=True)
def _facade(
    p: NDArray[np.float32],
    lattice: NDArray[np.float32],
    r: float,
    g: float,
    b: float,
    r2: float,
    g2: float,
    b2: float,
    x: float,
    z: float,
    fx: float,
    fz: float,
    grain: float,
    mirror: float,
) -> tuple[float, float, float, float]:
    # p0 = window period, p1 = storey, p2 = window width, p3 = window height, p4 = brick height
    # (0 = plaster), p5 = height of the ground floor, p6 = 1 when every window looks alike.
    shade = max(1.0 + grain, 0.05)
    if p[4] > 0:
        course = math.floor(z / p[4])
        mortar = stripes(z, p[4], 0.2 * p[4], fz)
        mortar += stripes(x + 1.25 * p[4] * (course % 2), 2.5 * p[4], 0.2 * p[4], fx)
        shade *= 1.0 + 0.5 * min(mortar, 1.0)
    if p[0] <= 0:
        return r * shade, g * shade, b * shade, 0.0
    if z < p[5]:
        plinth = 0.75 + 0.3 * band(z, p[5] - 0.25, p[5], fz)
        shade *= plinth
    storey = math.floor((z - p[5]) / p[1])
    column = math.floor(x / p[0])
    lz = (z - p[5]) - storey * p[1]
    lx = x - column * p[0]
    low = 0.28 * p[1]
    half = 0.5 * p[2]
    if z < p[5]:
        storey, lz, low = -1.0, z, 0.9
    inside = band(abs(lx - 0.5 * p[0]), 0.0, half, fx) * band(lz, low, low + p[3], fz)
    frame = (
        band(abs(lx - 0.5 * p[0]), 0.0, half + 0.09, fx)
        * band(lz, low - 0.12, low + p[3] + 0.09, fz)
        - inside
    )
    key = 0.0 if p[6] > 0 else math.sin(column * 12.9898 + storey * 78.233) * 43758.5453
    key -= math.floor(key)
    cross = min(
        band(abs(lx - 0.5 * p[0]), 0.0, 0.03, fx)
        + band(abs(lz - low - 0.68 * p[3]), 0.0, 0.03, fz),
        1.0,
    )
    # Curtain from above, its length differs per window.
    curtain = band(lz, low + p[3] * (1.0 - 0.7 * key), low + p[3], fz) * (0.5 + 0.5 * key)
    glass = 0.05 + 0.35 * curtain
    glass = glass * (1.0 - cross) + 0.6 * cross
    wall = max(1.0 - inside - frame, 0.0)
    ledge = 1.0 + 0.2 * stripes(z - p[5], p[1], 0.18, fz)
    return (
        r * shade * ledge * wall + r2 * frame + glass * inside,
        g * shade * ledge * wall + g2 * frame + glass * inside,
        b * shade * ledge * wall + b2 * frame + 1.05 * glass * inside,
        mirror * inside * (1.0 - cross),
    )
