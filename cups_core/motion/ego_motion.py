"""Motion of the camera between two frames from flow and disparity, robust against moving objects.

The segmenters ask it what ego-motion explains; the online chain reports it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.rigid_transform import RigidTransform, fit_rigid_transforms
from cups_core.rig import StereoRig

Floats = NDArray[np.float64]

HYPOTHESES = 64
HYPOTHESIS_POINTS = 4
SCORING_POINTS = 600
REFINEMENTS = 9


@dataclass(frozen=True, eq=False)
class Correspondences:
    """N pixels seen in both frames by both cameras.

    Attributes:
        pixels: float64 (N, 2), x and y in the left image at t.
        disparity: float64 (N,), pixels, at t.
        target: float64 (N, 2), where flow takes them in the left image at t+1.
        target_disparity: float64 (N,), pixels, at t+1, NaN where unknown.
        sigma: float64 (N,), expected noise of the flow, pixels.
        sigma_disparity: expected noise of a disparity, pixels.
    """

    pixels: NDArray[np.float64]
    disparity: NDArray[np.float64]
    target: NDArray[np.float64]
    target_disparity: NDArray[np.float64]
    sigma: NDArray[np.float64]
    sigma_disparity: float


@dataclass(frozen=True, eq=False)
class EgoMotion:
    """The camera's motion and how well the scene agrees with it.

    Attributes:
        transform: takes static points from the camera frame at t to the one at t+1.
        inlier_fraction: share of the correspondences that it explains.
    """

    transform: RigidTransform
    inlier_fraction: float


def _points(
    rig: StereoRig, pixels: NDArray[np.float64], disparity: NDArray[np.float64]
) -> NDArray[np.float64]:
    z = rig.focal_baseline / disparity
    return np.stack(
        [(pixels[:, 0] - rig.cx) / rig.fx * z, (pixels[:, 1] - rig.cy) / rig.fy * z, z], axis=1
    )


@kernel
def _residual(
    camera: Floats, R: Floats, t: Floats, point: Floats, target: Floats, out: Floats, moved: Floats
) -> None:
    """The moved point, and its measured minus predicted (x, y, disparity) in pixels."""
    for axis in range(3):
        moved[axis] = (
            R[axis, 0] * point[0] + R[axis, 1] * point[1] + R[axis, 2] * point[2] + t[axis]
        )
    z = max(moved[2], 0.1)
    out[0] = target[0] - camera[0] * moved[0] / z - camera[2]
    out[1] = target[1] - camera[1] * moved[1] / z - camera[3]
    out[2] = target[2] - camera[4] / z


@kernel
def _truncated_costs(
    camera: Floats,
    rotations: Floats,
    translations: Floats,
    points: Floats,
    targets: Floats,
    scales: Floats,
) -> Floats:
    """Per hypothesis the mean squared deviation in noise units, cut at 3 sigma.

    A missing disparity costs half.
    """
    costs = np.zeros(len(rotations))
    out, moved = np.empty(3), np.empty(3)
    for h in range(len(rotations)):
        for n in range(len(points)):
            _residual(camera, rotations[h], translations[h], points[n], targets[n], out, moved)
            scale = scales[n, 0]
            costs[h] += min((out[0] * out[0] + out[1] * out[1]) / (scale * scale), 9.0)
            costs[h] += 4.5 if np.isnan(out[2]) else min((out[2] / scales[n, 1]) ** 2, 9.0)
    return costs / len(points)


@kernel
def _normal_equations(
    camera: Floats,
    R: Floats,
    t: Floats,
    points: Floats,
    targets: Floats,
    scales: Floats,
    width: float,
) -> tuple[Floats, Floats]:
    """Gauss-Newton system (6, 6), (6,) of a twist after the motion, with Geman-McClure weights."""
    normal, right = np.zeros((6, 6)), np.zeros(6)
    jacobian = np.zeros((3, 6))
    out, q = np.empty(3), np.empty(3)
    fx, fy, fb = camera[0], camera[1], camera[4]
    for n in range(len(points)):
        _residual(camera, R, t, points[n], targets[n], out, q)
        if q[2] < 0.5:
            continue
        x, y, z = q
        # Rows: d(x, y, disparity) / d(rotation vector, translation) at the moved point.
        jacobian[0] = (
            -fx * x * y / z**2,
            fx * (1 + x * x / z**2),
            -fx * y / z,
            fx / z,
            0.0,
            -fx * x / z**2,
        )
        jacobian[1] = (
            -fy * (1 + y * y / z**2),
            fy * x * y / z**2,
            fy * x / z,
            0.0,
            fy / z,
            -fy * y / z**2,
        )
        jacobian[2] = (-fb * y / z**2, fb * x / z**2, 0.0, 0.0, 0.0, -fb / z**2)
        position = scales[n, 0] ** 2
        depth = scales[n, 1] ** 2
        weight = (
            1.0 / (1.0 + (out[0] ** 2 + out[1] ** 2) / position / (8.0 * width**2)) ** 2 / position
        )
        for row in range(3):
            if row == 2:
                if np.isnan(out[2]):
                    continue
                weight = 1.0 / (1.0 + out[2] ** 2 / depth / (4.0 * width**2)) ** 2 / depth
            for i in range(6):
                scaled = weight * jacobian[row, i]
                right[i] += scaled * out[row]
                for j in range(i, 6):
                    normal[i, j] += scaled * jacobian[row, j]
    for i in range(6):
        for j in range(i):
            normal[i, j] = normal[j, i]
    return normal, right


def _scales(rig: StereoRig, data: Correspondences, step: float) -> Floats:
    """Expected deviation (N, 2) of position and disparity, pixels, after about `step` metres.

    The error of the disparity at t enters the predicted position through the parallax that the
    translation causes.
    """
    radius = np.hypot(data.pixels[:, 0] - rig.cx, data.pixels[:, 1] - rig.cy)
    parallax = step * np.hypot(radius, rig.fx) / rig.focal_baseline
    position = np.hypot(data.sigma, parallax * data.sigma_disparity)
    return np.stack([position, np.full_like(position, np.sqrt(2.0) * data.sigma_disparity)], axis=1)


def estimate_ego_motion(
    data: Correspondences, rig: StereoRig, previous: RigidTransform | None = None
) -> EgoMotion:
    """The rigid motion of most of the scene relative to the camera.

    Small point sets propose motions (RANSAC, seeded, so the same input gives the same answer); the
    best one by truncated cost, standing still and the previous motion included, is refined on all
    points.

    Args:
        data: correspondences over the whole image, at least 4.
        rig: calibration at the size of the pixels.
        previous: motion of the frame before, if there was one.
    """
    random = np.random.default_rng(0)
    points = _points(rig, data.pixels, data.disparity)
    known = np.flatnonzero(np.isfinite(data.target_disparity) & (data.target_disparity > 0))
    rotations = [np.eye(3)]
    translations = [np.zeros(3)]
    if previous is not None:
        rotations.append(previous.rotation)
        translations.append(previous.translation_m)
    if len(known) >= HYPOTHESIS_POINTS:
        # Near points carry the translation: draw them more often.
        chance = np.sqrt(data.disparity[known])
        draws = random.choice(known, (HYPOTHESES, HYPOTHESIS_POINTS), p=chance / chance.sum())
        targets = _points(rig, data.target[known], data.target_disparity[known])
        place = np.zeros(len(points), np.intp)
        place[known] = np.arange(len(known))
        R, t = fit_rigid_transforms(points[draws], targets[place[draws]])
        rotations.extend(R)
        translations.extend(t)
    camera = np.array([rig.fx, rig.fy, rig.cx, rig.cy, rig.focal_baseline])
    measured = np.concatenate([data.target, data.target_disparity[:, None]], axis=1)
    R, t = np.array(rotations), np.array(translations)
    chosen = random.permutation(len(points))[:SCORING_POINTS]
    # One common step length for all hypotheses, or a large translation would widen its own
    # tolerance.
    tolerance = 4.0 * _scales(rig, data, 0.0)[chosen]
    best = int(
        np.argmin(_truncated_costs(camera, R, t, points[chosen], measured[chosen], tolerance))
    )
    transform = RigidTransform(R[best], t[best])
    for round_ in range(REFINEMENTS):
        scales = _scales(rig, data, float(np.linalg.norm(transform.translation_m)))
        # The weights start wide and shrink to the noise.
        width = max(1.0, 8.0 * 0.5**round_)
        normal, right = _normal_equations(
            camera, transform.rotation, transform.translation_m, points, measured, scales, width
        )
        # The small ridge keeps directions that no point measures at the start value.
        step = np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(6), right)
        transform = RigidTransform.from_twist(step).after(transform)
        if round_ > 4 and np.abs(step).max() < 1e-7:
            break
    predicted = rig.project(transform.apply(points))
    deviation = np.hypot(*(data.target - predicted).T)
    allowed = 3.0 * _scales(rig, data, float(np.linalg.norm(transform.translation_m)))[:, 0]
    return EgoMotion(transform, float((deviation < allowed).mean()))
