"""How well rigid motions explain measured points, in units of the noise.

The greedy selection adds up the soft inliers, refinement and dense assignment use the deviations.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.measured_points import Floats, MeasuredPoints

# Two-sided tail of two sigma: less likely deviations are outliers.
INLIER_PROBABILITY = 0.0455
NEAREST_M = 0.3
UNEXPLAINED = 1e4
# The tail beyond this squared deviation, 2e-5, counts as nothing.
NEGLIGIBLE = 25.0


@kernel
def deviation(
    camera: Floats,
    R: Floats,
    t: Floats,
    position: Floats,
    disparity: float,
    measured: Floats,
    sigma: float,
    sigma_disparity: float,
) -> float:
    """Squared Mahalanobis distance of one point's measurements from what a motion predicts.

    Flow and the disparity at t+1 have noise of their own; the noise of the disparity at t moves all
    three predictions together (a rank-one term, hence the Sherman-Morrison form).
    """
    x = R[0, 0] * position[0] + R[0, 1] * position[1] + R[0, 2] * position[2] + t[0]
    y = R[1, 0] * position[0] + R[1, 1] * position[1] + R[1, 2] * position[2] + t[1]
    z = R[2, 0] * position[0] + R[2, 1] * position[1] + R[2, 2] * position[2] + t[2]
    if z < NEAREST_M:
        return UNEXPLAINED
    du = measured[0] - camera[0] * x / z - camera[2]
    dv = measured[1] - camera[1] * y / z - camera[3]
    ju = camera[0] * (t[0] - x / z * t[2]) / (z * disparity)
    jv = camera[1] * (t[1] - y / z * t[2]) / (z * disparity)
    flow = 1.0 / (sigma * sigma)
    own = 1.0 / (sigma_disparity * sigma_disparity)
    squared = (du * du + dv * dv) * flow
    along = (ju * du + jv * dv) * flow
    size = (ju * ju + jv * jv) * flow
    if not np.isnan(measured[2]):
        dd = measured[2] - camera[4] / z
        jd = camera[4] * (z - t[2]) / (z * z * disparity)
        squared += dd * dd * own
        along += jd * dd * own
        size += jd * jd * own
    return float(squared - along * along / (own + size))


@kernel
def tail(squared: float, disparity_too: bool) -> float:
    """Probability of a larger deviation: chi-square with three degrees of freedom, else two."""
    if squared > NEGLIGIBLE:
        return 0.0
    if not disparity_too:
        return math.exp(-0.5 * squared)
    root = math.sqrt(0.5 * squared)
    return math.erfc(root) + 2.0 / math.sqrt(math.pi) * root * math.exp(-0.5 * squared)


@kernel
def _soft_inliers(
    camera: Floats,
    rotations: Floats,
    translations: Floats,
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
) -> NDArray[np.float32]:
    soft = np.empty((len(rotations), len(position)), np.float32)
    for h in range(len(rotations)):
        for n in range(len(position)):
            squared = deviation(
                camera,
                rotations[h],
                translations[h],
                position[n],
                disparity[n],
                measured[n],
                sigma[n],
                sigma_disparity,
            )
            soft[h, n] = tail(squared, not np.isnan(measured[n, 2]))
    return soft


def soft_inliers(
    points: MeasuredPoints, rotations: Floats, translations: Floats
) -> NDArray[np.float32]:
    """Probability, under each motion, of a point deviating more than it does: 1 = fits exactly.

    Args:
        points: N points.
        rotations: (H, 3, 3).
        translations: (H, 3), metres.

    Returns:
        float32 (H, N); an inlier by more than `INLIER_PROBABILITY`.
    """
    soft: NDArray[np.float32] = _soft_inliers(
        points.camera,
        rotations,
        translations,
        points.position,
        points.disparity,
        points.measured,
        points.sigma,
        points.sigma_disparity,
    )
    return soft


@kernel
def _deviations(
    camera: Floats,
    R: Floats,
    t: Floats,
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
) -> Floats:
    squared = np.empty(len(position))
    for n in range(len(position)):
        squared[n] = deviation(
            camera, R, t, position[n], disparity[n], measured[n], sigma[n], sigma_disparity
        )
    return squared


def deviations(points: MeasuredPoints, motion: RigidTransform) -> Floats:
    """Squared Mahalanobis distance of each point from what one motion predicts, float64 (N,)."""
    squared: Floats = _deviations(
        points.camera,
        motion.rotation,
        motion.translation_m,
        points.position,
        points.disparity,
        points.measured,
        points.sigma,
        points.sigma_disparity,
    )
    return squared
