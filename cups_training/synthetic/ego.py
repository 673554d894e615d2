"""The vehicle that carries the cameras: its course along the street and the shake of its body.

The scene sampler makes one; the traffic sampler keeps clear of it, the drive asks it for camera
poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.trajectories import STEP_S, Trajectory

LENGTH_M = 4.4
WIDTH_M = 1.85
LANE_CENTRE_M = -1.75
_CAMERA_AHEAD_M = 1.0
_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def drive_times(settings: DriveSettings) -> NDArray[np.float64]:
    """Nodes of every course, seconds: one frame more than the drive at both ends."""
    margin = 1.0 / settings.rate_hz + 0.1
    return np.arange(-margin, settings.frames / settings.rate_hz + margin + STEP_S, STEP_S)


def ego_progress(
    random: np.random.Generator, settings: DriveSettings, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Metres along the street per node, 0 at the first one; never backwards."""
    mode = settings.ego_motion
    if mode == "mixed":
        mode = "yield" if random.random() < 0.35 else "cruise"
    pace = random.uniform(5.0, 11.0)
    wave = random.uniform(0.0, 0.15) * np.sin(
        2 * np.pi * times / random.uniform(3.0, 7.0) + random.uniform(0, 6)
    )
    if mode == "stopped":
        speed = np.zeros_like(times)
    elif mode == "yield":
        braking = random.uniform(2.0, 3.5)
        begin = random.uniform(0.0, 0.4) * times[-1]
        speed = np.maximum(pace - braking * np.maximum(times - begin, 0.0), 0.0)
    else:
        speed = pace * (1.0 + wave)
    return np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) * np.diff(times))])


@dataclass(frozen=True, eq=False)
class Ego:
    """The camera car.

    Attributes:
        trajectory: of its footprint's centre.
        height_m: of the cameras over the ground.
        shake: float64 (3, 4, 3): for roll, pitch and yaw four waves of (amplitude rad, frequency
            Hz, phase rad).
    """

    trajectory: Trajectory
    height_m: float
    shake: NDArray[np.float64]

    def camera_pose(self, time: float) -> RigidTransform:
        """World from left camera (optical frame) at a time in seconds."""
        place = self.trajectory.pose(time)
        amplitude, frequency, phase = self.shake[..., 0], self.shake[..., 1], self.shake[..., 2]
        waves = amplitude * np.sin(2 * np.pi * frequency * time + phase)
        # A car shakes because it rolls over the road: at a standstill it is still.
        speed = (
            self.trajectory.distance(time + STEP_S) - self.trajectory.distance(time - STEP_S)
        ) / (2 * STEP_S)
        angles = waves.sum(axis=1) * min(speed / 4.0, 1.0)
        turn = RigidTransform.from_twist(np.append(angles, np.zeros(3)))
        mount = RigidTransform(
            turn.rotation @ _OPTICAL, np.array([_CAMERA_AHEAD_M, 0.27, self.height_m])
        )
        return place.after(mount)


def sample_shake(random: np.random.Generator, scale: float) -> NDArray[np.float64]:
    """Waves of the body on its springs: under half a degree, 0.4 to 5 Hz."""
    frequency = np.array([0.45, 1.3, 2.4, 4.7]) * random.uniform(0.8, 1.25, (3, 4))
    amplitude = (
        np.radians([[0.2], [0.25], [0.2]])
        * np.array([1.0, 0.5, 0.2, 0.07])
        * random.uniform(0.5, 1.0, (3, 4))
    )
    phase = random.uniform(0, 2 * np.pi, (3, 4))
    return np.stack([scale * amplitude, frequency, phase], axis=-1)
