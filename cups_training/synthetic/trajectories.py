"""Where something on the street is at any time: a course with its heading.

The traffic sampler makes one per vehicle and person; the scene asks it for poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_training.synthetic.centerline import CenterLine

STEP_S = 0.02
"""Spacing of a course's nodes, seconds; between them it is linear."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A course over time on the ground.

    Attributes:
        times: float64 (N,), seconds, ascending.
        positions: float64 (N, 2), world, metres.
        headings: float64 (N,), radians, continuous.
        travelled: float64 (N,), metres covered since the first node; limbs and wheels turn by it.
    """

    times: NDArray[np.float64]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]
    travelled: NDArray[np.float64]

    @staticmethod
    def of_street(
        line: CenterLine,
        times: NDArray[np.float64],
        along: ArrayLike,
        left: ArrayLike,
        heading: ArrayLike,
    ) -> Trajectory:
        """A course given in street coordinates per node, heading relative to the street."""
        along, left, heading = (
            np.broadcast_to(np.asarray(v, np.float64), times.shape) for v in (along, left, heading)
        )
        positions = line.world(along, left)
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
        return Trajectory(
            times,
            positions,
            line.heading(along) + heading,
            np.concatenate([[0.0], np.cumsum(steps)]),
        )

    @property
    def is_static(self) -> bool:
        """Whether it never moves."""
        return bool(self.travelled[-1] < 1e-9 and np.ptp(self.headings) < 1e-9)

    def place(self, time: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions (..., 2) in the world, metres, and headings, radians, at times in seconds."""
        t = np.asarray(time, np.float64)
        x = np.interp(t, self.times, self.positions[:, 0])
        y = np.interp(t, self.times, self.positions[:, 1])
        return np.stack([x, y], axis=-1), np.interp(t, self.times, self.headings)

    def distance(self, time: float) -> float:
        """Metres covered until `time`."""
        return float(np.interp(time, self.times, self.travelled))

    def pose(self, time: float, height_m: float = 0.0) -> RigidTransform:
        """World from object: x forward, y left, z up, origin on the ground."""
        position, heading = self.place(time)
        cos, sin = np.cos(heading), np.sin(heading)
        rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return RigidTransform(rotation, np.array([position[0], position[1], height_m]))
