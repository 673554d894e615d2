"""How much objects turn against the static scene: what few noisy points cannot tell by themselves.

Proposals and refinement lean on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform

# Sigma of the rate at which road users turn; a car that turns off reaches half of it.
TURN_RATE_RAD_S = 1.0


@dataclass(frozen=True, eq=False)
class TurnPrior:
    """A normal distribution of rotations about that of the static scene.

    Attributes:
        rotation: float64 (3, 3), rotation of static points between the frames.
        sigma_rad: objects turn by about this much more or less, radians.
    """

    rotation: NDArray[np.float64]
    sigma_rad: float

    @staticmethod
    def between_frames(ego_motion: RigidTransform, interval_s: float) -> TurnPrior:
        """For frames that lie `interval_s` seconds apart, in either order."""
        return TurnPrior(ego_motion.rotation, TURN_RATE_RAD_S * abs(interval_s))
