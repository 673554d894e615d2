"""Vehicles and people: a jointed body, a footprint and a course; each is one instance of the truth.

The models make bodies, the traffic sampler puts them on courses, the scene asks for the pose of
every limb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_training.synthetic.meshes import Mesh
from cups_training.synthetic.trajectories import Trajectory

BODY = -1
"""Parent of a limb that is fixed to the object itself."""


@dataclass(frozen=True, eq=False)
class Limb:
    """A rigid part that turns about the object's y axis as the object moves on.

    Attributes:
        mesh: in the object's frame, at rest.
        pivot: (3,), point of the axis in the object's frame at rest, metres.
        parent: index of the limb that carries it, or `BODY`.
        rest_rad: its angle at rest.
        swing_rad: amplitude of the gait.
        phase_rad: phase of the gait.
        swing_per_m: gait angle per metre covered, rad/m.
        roll_per_m: full rotation per metre covered, rad/m (wheels).
    """

    mesh: Mesh
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    parent: int = BODY
    rest_rad: float = 0.0
    swing_rad: float = 0.0
    phase_rad: float = 0.0
    swing_per_m: float = 0.0
    roll_per_m: float = 0.0

    def angle(self, covered_m: float) -> float:
        """Turn about the y axis after `covered_m` metres, radians."""
        gait = self.swing_rad * np.sin(self.swing_per_m * covered_m + self.phase_rad)
        return float(self.rest_rad + gait + self.roll_per_m * covered_m)


@dataclass(frozen=True, eq=False)
class Body:
    """A jointed body.

    Attributes:
        kind: what people call it (car, van, pedestrian, cyclist).
        limbs: parents before children.
        length_m, width_m: of its footprint.
    """

    kind: str
    limbs: tuple[Limb, ...]
    length_m: float
    width_m: float

    def limb_poses(self, pose: RigidTransform, covered_m: float) -> list[RigidTransform]:
        """World from each limb's rest frame, given the object's pose and the way covered."""
        poses: list[RigidTransform] = []
        for limb in self.limbs:
            carrier = pose if limb.parent == BODY else poses[limb.parent]
            pivot = np.array(limb.pivot)
            turn = RigidTransform.from_twist(
                np.array([0.0, limb.angle(covered_m), 0.0, 0.0, 0.0, 0.0])
            )
            about = RigidTransform(turn.rotation, pivot - turn.rotation @ pivot)
            poses.append(carrier.after(about))
        return poses


@dataclass(frozen=True, eq=False)
class Actor:
    """A body on its course.

    Attributes:
        body: its shape.
        trajectory: where it is.
        height_m: of the ground it stands on.
    """

    body: Body
    trajectory: Trajectory
    height_m: float = 0.0

    @property
    def is_static(self) -> bool:
        """Whether it stands during the whole drive."""
        return self.trajectory.is_static

    def pose(self, time: float) -> RigidTransform:
        """World from object at a time in seconds."""
        return self.trajectory.pose(time, self.height_m)

    def limb_poses(self, time: float) -> list[RigidTransform]:
        """World from each limb's rest frame."""
        return self.body.limb_poses(self.pose(time), self.trajectory.distance(time))

    def velocity(self, time: float) -> NDArray[np.float64]:
        """Velocity of the object's origin in the world, m/s, over the 20 ms around `time`."""
        ahead, _ = self.trajectory.place(time + 0.01)
        behind, _ = self.trajectory.place(time - 0.01)
        return np.append((ahead - behind) / 0.02, 0.0)
