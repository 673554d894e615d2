"""Points on a made-up object with the flow and disparity that a known motion gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.measured_points import MeasuredPoints

from ..scenes import RIG

CAMERA = np.array([RIG.fx, RIG.fy, RIG.cx, RIG.cy, RIG.focal_baseline])


def cloud(
    motion: RigidTransform,
    count: int = 60,
    centre_m: tuple[float, float, float] = (0.0, 0.0, 10.0),
    size_m: float = 2.0,
    noise_px: float = 0.0,
    seed: int = 0,
) -> MeasuredPoints:
    """Random points in a cube that all follow one motion, measured with Gaussian noise."""
    random = np.random.default_rng(seed)
    position = np.array(centre_m) + size_m * (random.random((count, 3)) - 0.5)
    pixels = RIG.project(position)
    disparity = RIG.focal_baseline / position[:, 2]
    moved = motion.apply(position)
    measured = np.column_stack([RIG.project(moved), RIG.focal_baseline / moved[:, 2]])
    measured += random.normal(0, noise_px, measured.shape)
    seen = disparity + random.normal(0, noise_px, count)
    rays = np.column_stack([(pixels - [RIG.cx, RIG.cy]) / [RIG.fx, RIG.fy], np.ones(count)])
    return MeasuredPoints(
        RIG,
        pixels[:, 1].round().astype(np.int64),
        pixels[:, 0].round().astype(np.int64),
        rays * (RIG.focal_baseline / seen)[:, None],
        seen,
        measured,
        np.full(count, max(noise_px, 0.05)),
        max(noise_px, 0.05),
    )


def stacked(*motions: RigidTransform) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations and translations as the batched functions take them."""
    return np.stack([m.rotation for m in motions]), np.stack([m.translation_m for m in motions])
