"""Refines rigid motions on all their inliers by reprojection and disparity.

The greedy selection refines what it accepts, the ensemble each final object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import NEAREST_M, deviation
from cups_core.motion.sf2se3.measured_points import Floats, MeasuredPoints
from cups_core.motion.sf2se3.turn_prior import TurnPrior

ROUNDS = 5
# Squared deviation at which a point's weight has fallen to a quarter.
ROBUST_WIDTH = 9.0
# Keeps directions that no point measures where they are.
RIDGE = 1e-9


@kernel
def _normal_equations(
    camera: Floats,
    R: Floats,
    t: Floats,
    centre: Floats,
    chosen: NDArray[np.bool_],
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
    normal: Floats,
    right: Floats,
) -> None:
    """Gauss-Newton system of a turn about the moved `centre` and a shift after the motion."""
    q, arm = np.empty(3), np.empty(3)
    J, P = np.empty((3, 6)), np.zeros((3, 3))
    out, slope, inverse = np.empty(3), np.empty(3), np.empty(3)
    for n in range(len(position)):
        if not chosen[n]:
            continue
        for axis in range(3):
            q[axis] = t[axis]
            for other in range(3):
                q[axis] += R[axis, other] * position[n, other]
            arm[axis] = q[axis] - centre[axis]
        x, y, z = q
        if z < NEAREST_M:
            continue
        squared = deviation(
            camera, R, t, position[n], disparity[n], measured[n], sigma[n], sigma_disparity
        )
        weight = 1.0 / (1.0 + squared / ROBUST_WIDTH) ** 2
        P[0, 0], P[0, 2] = camera[0] / z, -camera[0] * x / (z * z)
        P[1, 1], P[1, 2] = camera[1] / z, -camera[1] * y / (z * z)
        P[2, 2] = -camera[4] / (z * z)
        for row in range(3):
            a, b, c = P[row]
            J[row, 0] = c * arm[1] - b * arm[2]
            J[row, 1] = a * arm[2] - c * arm[0]
            J[row, 2] = b * arm[0] - a * arm[1]
            J[row, 3], J[row, 4], J[row, 5] = a, b, c
        out[0] = measured[n, 0] - camera[0] * x / z - camera[2]
        out[1] = measured[n, 1] - camera[1] * y / z - camera[3]
        inverse[0] = inverse[1] = 1.0 / (sigma[n] * sigma[n])
        own = 1.0 / (sigma_disparity * sigma_disparity)
        inverse[2] = own
        if np.isnan(measured[n, 2]):
            out[2], inverse[2] = 0.0, 0.0
        else:
            out[2] = measured[n, 2] - camera[4] / z
        # What an error of the disparity at t does to the three predictions.
        size = own
        for row in range(3):
            slope[row] = 0.0
            for axis in range(3):
                slope[row] -= P[row, axis] * (q[axis] - t[axis]) / disparity[n]
            size += slope[row] * slope[row] * inverse[row]
        for i in range(6):
            along, against = 0.0, 0.0
            for row in range(3):
                along += slope[row] * inverse[row] * J[row, i]
                against += slope[row] * inverse[row] * out[row]
            for row in range(3):
                right[i] += weight * J[row, i] * inverse[row] * out[row]
            right[i] -= weight * along * against / size
            for j in range(6):
                value, across = 0.0, 0.0
                for row in range(3):
                    value += J[row, i] * inverse[row] * J[row, j]
                    across += slope[row] * inverse[row] * J[row, j]
                normal[i, j] += weight * (value - along * across / size)


@kernel
def _systems(
    camera: Floats,
    rotations: Floats,
    translations: Floats,
    centres: Floats,
    chosen: NDArray[np.bool_],
    position: Floats,
    disparity: Floats,
    measured: Floats,
    sigma: Floats,
    sigma_disparity: float,
) -> tuple[Floats, Floats]:
    normal, right = np.zeros((len(rotations), 6, 6)), np.zeros((len(rotations), 6))
    for h in range(len(rotations)):
        _normal_equations(
            camera,
            rotations[h],
            translations[h],
            centres[h],
            chosen[h],
            position,
            disparity,
            measured,
            sigma,
            sigma_disparity,
            normal[h],
            right[h],
        )
    return normal, right


def _turns(vectors: Floats) -> Floats:
    """Rotation matrices (H, 3, 3) of rotation vectors (H, 3), radians."""
    twists = np.concatenate([vectors, np.zeros_like(vectors)], 1)
    turns = [RigidTransform.from_twist(twist).rotation for twist in twists]
    return np.array(turns).reshape(-1, 3, 3)


def _rotation_vectors(rotations: Floats) -> Floats:
    """Rotation vectors (H, 3), radians, of rotations of less than half a turn."""
    axis = 0.5 * np.stack(
        [
            rotations[:, 2, 1] - rotations[:, 1, 2],
            rotations[:, 0, 2] - rotations[:, 2, 0],
            rotations[:, 1, 0] - rotations[:, 0, 1],
        ],
        1,
    )
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, 0.5 * (np.trace(rotations, axis1=1, axis2=2) - 1))
    return axis * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)[:, None]


def refine_motions(
    points: MeasuredPoints,
    rotations: Floats,
    translations: Floats,
    chosen: NDArray[np.bool_],
    prior: TurnPrior,
) -> tuple[Floats, Floats]:
    """Gauss-Newton on reprojection and disparity of the chosen points, all motions at once.

    Args:
        points: N points.
        rotations: (H, 3, 3), start.
        translations: (H, 3), metres, start.
        chosen: bool (H, N), inliers of each motion, at least one.
        prior: how objects turn.

    Returns:
        Rotations and translations, NaN for a motion whose system has no finite solution; it does
        not concern the others.
    """
    centre = (chosen @ points.position) / chosen.sum(1)[:, None]
    for _ in range(ROUNDS):
        moved = np.einsum("hij,hj->hi", rotations, centre) + translations
        normal, right = _systems(
            points.camera,
            rotations,
            translations,
            moved,
            chosen,
            points.position,
            points.disparity,
            points.measured,
            points.sigma,
            points.sigma_disparity,
        )
        turned = _rotation_vectors(rotations @ prior.rotation.T)
        normal[:, range(3), range(3)] += 1.0 / prior.sigma_rad**2
        right[:, :3] -= turned / prior.sigma_rad**2
        normal += RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(6)
        lost = ~(np.isfinite(normal).all((1, 2)) & np.isfinite(right).all(1))
        normal[lost], right[lost] = np.eye(6), np.nan
        step = np.linalg.solve(normal, right[..., None])[..., 0]
        rotations = _turns(step[:, :3]) @ rotations
        # The turn is about the moved centre, which then shifts.
        translations = moved + step[:, 3:] - np.einsum("hij,hj->hi", rotations, centre)
    return rotations, translations
