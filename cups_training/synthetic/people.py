"""Bodies of pedestrians and cyclists: limbs that swing with the distance covered.

The traffic sampler draws them; a standing person is the same body on a course that does not move.
"""

from __future__ import annotations

import numpy as np

from cups_training.synthetic.actors import BODY, Body, Limb
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.materials import Kind, MaterialTable
from cups_training.synthetic.meshes import Mesh, ball, box, joined, tube

_CLOTHES = (
    (0.05, 0.06, 0.12),
    (0.4, 0.05, 0.05),
    (0.55, 0.55, 0.52),
    (0.03, 0.03, 0.03),
    (0.1, 0.25, 0.4),
    (0.5, 0.35, 0.1),
    (0.12, 0.22, 0.1),
    (0.25, 0.25, 0.27),
    (0.45, 0.2, 0.3),
)
_SKINS = ((0.6, 0.38, 0.28), (0.45, 0.27, 0.18), (0.22, 0.12, 0.07), (0.7, 0.48, 0.38))
_HAIRS = ((0.03, 0.02, 0.015), (0.12, 0.06, 0.03), (0.35, 0.25, 0.12), (0.3, 0.3, 0.3))


def _cloth(random: np.random.Generator, materials: MaterialTable) -> int:
    colour = _CLOTHES[random.integers(len(_CLOTHES))]
    other = _CLOTHES[random.integers(len(_CLOTHES))]
    striped = float(random.choice([0.0, 0.0, 0.09, 0.16]))
    return materials.add(
        Kind.CLOTH, colour, other, parameters=(striped, 0.8), roughness=0.5, frequency=5.0
    )


def pedestrian(random: np.random.Generator, materials: MaterialTable) -> Body:
    """A person of 1.55 to 1.9 m on foot, legs and arms in step with the distance covered."""
    size = random.uniform(1.55, 1.9) / 1.75
    girth = random.uniform(0.9, 1.2)
    top, trousers = _cloth(random, materials), _cloth(random, materials)
    skin = materials.add(
        Kind.PLAIN, _SKINS[random.integers(len(_SKINS))], roughness=0.1, frequency=8.0
    )
    hair = materials.add(
        Kind.PLAIN, _HAIRS[random.integers(len(_HAIRS))], roughness=0.4, frequency=20.0
    )
    shoe = materials.add(Kind.PLAIN, (0.05, 0.045, 0.04), roughness=0.2)
    rate = 2 * np.pi / (1.45 * size)
    phase = random.uniform(0, 2 * np.pi)
    hip, shoulder = 0.92 * size, 1.42 * size
    trunk = [_trunk(size, girth, top), *_head(0.0, size, skin, hair)]
    if random.random() < 0.4:
        bag = materials.add(
            Kind.PLAIN, _CLOTHES[random.integers(len(_CLOTHES))], roughness=0.4, frequency=6.0
        )
        trunk.append(
            box(
                (-0.3 * size, -0.15, 1.02 * size),
                (-0.1 * size, 0.15, 1.42 * size),
                bag,
                StreetClass.PERSON,
            )
        )
    limbs = [Limb(joined(trunk))]
    for side, turn in ((1, 0.0), (-1, np.pi)):
        y = side * 0.095 * girth
        thigh = tube(
            [(0, y, 0.95 * size), (0, y, 0.5 * size)],
            [0.092 * girth, 0.065],
            trousers,
            StreetClass.PERSON,
        )
        limbs.append(Limb(thigh, (0, y, hip), BODY, 0.0, 0.45, phase + turn, rate))
        shin = tube(
            [(0, y, 0.52 * size), (0, y, 0.08 * size)], [0.066, 0.045], trousers, StreetClass.PERSON
        )
        foot = box(
            (-0.07, y - 0.045, 0.0), (0.19 * size, y + 0.045, 0.09 * size), shoe, StreetClass.PERSON
        )
        # The knee bends backwards only: rest angle and swing add up to zero at full stretch.
        limbs.append(
            Limb(
                joined([shin, foot]),
                (0, y, 0.51 * size),
                len(limbs) - 1,
                0.28,
                0.28,
                phase + turn + 0.6 * np.pi,
                rate,
            )
        )
        ya = side * (0.2 * girth + 0.03)
        arm = [
            tube(
                [(0, ya, shoulder), (0.0, ya, 1.15 * size), (0.06, ya, 0.88 * size)],
                [0.055, 0.05, 0.036],
                top,
                StreetClass.PERSON,
                sides=6,
            ),
            ball((0.08, ya, 0.82 * size), (0.04, 0.04, 0.06), skin, StreetClass.PERSON, sides=6),
        ]
        limbs.append(
            Limb(joined(arm), (0, ya, shoulder), BODY, 0.0, 0.4, phase + turn + np.pi, rate)
        )
    return Body("pedestrian", tuple(limbs), 0.7, 0.6)


def cyclist(random: np.random.Generator, materials: MaterialTable) -> Body:
    """A rider on a bicycle with turning wheels and pedalling legs."""
    top, trousers = _cloth(random, materials), _cloth(random, materials)
    skin = materials.add(
        Kind.PLAIN, _SKINS[random.integers(len(_SKINS))], roughness=0.1, frequency=8.0
    )
    helmet = materials.add(
        Kind.PLAIN, _CLOTHES[random.integers(len(_CLOTHES))], roughness=0.1, mirror=0.1
    )
    paint = materials.add(
        Kind.PLAIN, _CLOTHES[random.integers(len(_CLOTHES))], roughness=0.05, mirror=0.15
    )
    tyre = materials.add(Kind.PLAIN, (0.02, 0.02, 0.02), roughness=0.1)
    bike = StreetClass.BICYCLE

    def bar(path: list[tuple[float, float, float]], radius: float) -> Mesh:
        return tube(path, radius, paint, bike, sides=6)

    frame = [
        bar([(-0.5, 0, 0.34), (-0.08, 0, 0.3)], 0.018),
        bar([(-0.08, 0, 0.3), (-0.2, 0, 0.9)], 0.022),
        bar([(-0.08, 0, 0.3), (0.38, 0, 0.82)], 0.025),
        bar([(-0.18, 0, 0.8), (0.36, 0, 0.86)], 0.022),
        bar([(0.52, 0, 0.34), (0.36, 0, 0.98)], 0.02),
        bar([(-0.5, 0, 0.34), (-0.18, 0, 0.8)], 0.016),
        bar([(0.34, -0.28, 1.0), (0.36, 0.28, 1.0)], 0.018),
        box((-0.34, -0.08, 0.9), (-0.08, 0.08, 0.96), tyre, bike),
    ]
    torso = tube(
        [(-0.2, 0, 0.92), (-0.12, 0, 1.12), (0.06, 0, 1.4), (0.12, 0, 1.48)],
        [0.14, 0.16, 0.17, 0.07],
        top,
        StreetClass.RIDER,
        sides=10,
    )
    head = [
        ball((0.18, 0, 1.62), (0.1, 0.085, 0.13), skin, StreetClass.RIDER),
        ball((0.16, 0, 1.69), (0.14, 0.1, 0.09), helmet, StreetClass.RIDER),
    ]
    arms = [
        tube(
            [(0.08, s * 0.17, 1.4), (0.2, s * 0.23, 1.15), (0.36, s * 0.25, 1.02)],
            [0.05, 0.045, 0.035],
            top,
            StreetClass.RIDER,
            sides=6,
        )
        for s in (-1, 1)
    ]
    limbs = [Limb(joined([*frame, torso, *head, *arms]))]
    for x in (-0.5, 0.52):
        limbs.append(
            Limb(
                _spoked_wheel((x, 0.0, 0.34), 0.34, tyre, paint),
                (x, 0.0, 0.34),
                roll_per_m=1 / 0.34,
            )
        )
    rate = 2.6 / 0.34 / 2.4
    for side, turn in ((1, 0.0), (-1, np.pi)):
        y = side * 0.1
        thigh = tube([(-0.18, y, 0.93), (0.2, y, 0.72)], [0.085, 0.06], trousers, StreetClass.RIDER)
        limbs.append(Limb(thigh, (-0.18, y, 0.93), BODY, 0.0, 0.32, turn, rate))
        shin = [
            tube([(0.2, y, 0.72), (0.02, y, 0.3)], [0.058, 0.04], trousers, StreetClass.RIDER),
            box((-0.04, y - 0.045, 0.22), (0.2, y + 0.045, 0.3), tyre, StreetClass.RIDER),
        ]
        limbs.append(Limb(joined(shin), (0.2, y, 0.72), len(limbs) - 1, 0.0, 0.3, turn + 1.2, rate))
    return Body("cyclist", tuple(limbs), 1.9, 0.65)


def _trunk(size: float, girth: float, material: int) -> Mesh:
    return tube(
        [
            (0, 0, 0.88 * size),
            (0, 0, 1.0 * size),
            (0, 0, 1.2 * size),
            (0, 0, 1.4 * size),
            (0, 0, 1.48 * size),
            (0, 0, 1.53 * size),
        ],
        np.array([0.15, 0.165, 0.17, 0.2, 0.12, 0.055]) * girth,
        material,
        StreetClass.PERSON,
        sides=10,
    )


def _head(x: float, size: float, skin: int, hair: int) -> list[Mesh]:
    return [
        ball((x, 0, 1.63 * size), (0.1, 0.08, 0.125), skin, StreetClass.PERSON),
        ball((x - 0.02, 0, 1.67 * size), (0.105, 0.09, 0.1), hair, StreetClass.PERSON),
    ]


def _spoked_wheel(centre: tuple[float, float, float], radius: float, tyre: int, metal: int) -> Mesh:
    """Rim of a thin tube and six spokes: one looks through it."""
    x, y, z = centre
    angle = np.linspace(0, 2 * np.pi, 21)
    circle = np.stack(
        [x + radius * np.cos(angle), np.full(21, y), z + radius * np.sin(angle)], axis=1
    )
    parts = [tube(circle, 0.02, tyre, StreetClass.BICYCLE, sides=5, capped=False)]
    for turn in np.arange(3) * np.pi / 3:
        dx, dz = radius * np.cos(turn), radius * np.sin(turn)
        parts.append(
            tube(
                [(x - dx, y, z - dz), (x + dx, y, z + dz)],
                0.006,
                metal,
                StreetClass.BICYCLE,
                sides=3,
                capped=False,
            )
        )
    return joined(parts)
