"""Daylight of one drive: where the sun is, how bright the sky is and what colour the haze has.

The scene sampler draws it; the shader lights surfaces and sky with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_training.synthetic.settings import DriveSettings


@dataclass(frozen=True, eq=False)
class Light:
    """Sun, sky and haze.

    Attributes:
        sun: float64 (3,), unit vector towards the sun, world.
        sun_strength: of direct light on a surface that faces it; the camera saturates at 1.
        sky_strength: of light from the whole sky.
        clouds: share of the sky that clouds cover, 0 to 1.
        glare: extra brightness of the sky around the sun, 0 = none.
        haze_per_m: share of light that air replaces per metre.
        casts_shadows: whether the sun is blocked by things.
        offset: of the clouds in the noise.
    """

    sun: NDArray[np.float64]
    sun_strength: float
    sky_strength: float
    clouds: float
    glare: float
    haze_per_m: float
    casts_shadows: bool
    offset: float

    def packed(self) -> NDArray[np.float64]:
        """The numbers in the order in which the compiled shader takes them."""
        return np.array(
            [
                *self.sun,
                self.sun_strength,
                self.sky_strength,
                self.clouds,
                self.glare,
                self.haze_per_m,
                self.offset,
            ]
        )


def sample_light(random: np.random.Generator, settings: DriveSettings) -> Light:
    """A clear or partly clouded day."""
    elevation = np.radians(random.uniform(28.0, 62.0))
    azimuth = random.uniform(0, 2 * np.pi)
    sun = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    hard = settings.hard_shadows
    strength = random.uniform(1.1, 1.5) if hard else 0.35
    return Light(
        sun,
        strength,
        random.uniform(0.4, 0.55) if hard else 0.95,
        random.uniform(0.2, 0.8),
        random.uniform(0.5, 1.5) if settings.saturated_sky else 0.0,
        random.uniform(0.0005, 0.002),
        hard,
        random.uniform(0, 30),
    )
