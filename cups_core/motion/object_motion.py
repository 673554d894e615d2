"""Displacement of each region in space between two frames, from its residual flow and disparity.

The segmenter uses it to tell objects from noise, and to report velocities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.motion.scene_flow import Map, Mask, SceneFlow
from cups_core.motion.static_evidence import StaticEvidence

ROUNDS = 4
LARGEST_DISPARITY_RESIDUAL = 4.0


@dataclass(frozen=True, eq=False)
class ObjectMotion:
    """Per region, index 0 = none.

    Attributes:
        displacement_m: float64 (R + 1, 3), from t to t+1 over ground, metres, in the camera frame
            at t+1.
        distance_m: float64 (R + 1,), how far its points move over ground on average, metres.
        explained: float64 (R + 1,), share of the residual flow's length that the displacement
            explains, at most 1.
    """

    displacement_m: NDArray[np.float64]
    distance_m: NDArray[np.float64]
    explained: NDArray[np.float64]


@kernel
def _accumulate(
    region: NDArray[np.int64],
    disparity: Map,
    known: Mask,
    residual: Map,
    found: Map,
    sigma: Map,
    informative: Mask,
    evidence: Map,
    disparity_sigma: float,
    stride: int,
    camera: NDArray[np.float64],
    R: NDArray[np.float64],
    t: NDArray[np.float64],
    motion: NDArray[np.float64],
    robust: bool,
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    lengths: NDArray[np.float64],
) -> None:
    """Normal equations of each region's displacement; residual lengths before, after `motion`."""
    fx, fy, cx, cy, fb = camera[0], camera[1], camera[2], camera[3], camera[4]
    for i in range(region.shape[0]):
        for j in range(region.shape[1]):
            r = region[i, j]
            if r == 0 or not known[i, j]:
                continue
            z = fb / float(disparity[i, j])
            x, y = (j * stride - cx) / fx * z, (i * stride - cy) / fy * z
            qx = R[0, 0] * x + R[0, 1] * y + R[0, 2] * z + t[0]
            qy = R[1, 0] * x + R[1, 1] * y + R[1, 2] * z + t[1]
            qz = max(R[2, 0] * x + R[2, 1] * y + R[2, 2] * z + t[2], 0.3)
            u, v, e = float(residual[i, j, 0]), float(residual[i, j, 1]), float(found[i, j])
            kx, ky, kd = fx / qz, fy / qz, (fb / qz + e) / qz
            a, b = qx / qz + u / fx, qy / qz + v / fy
            D = motion[r]
            left_u, left_v = u - kx * (D[0] - a * D[2]), v - ky * (D[1] - b * D[2])
            w = 0.0
            if informative[i, j]:
                s = max(float(sigma[i, j]), 0.1)
                w = 1.0 / (s * s)
                if evidence[i, j] > 0.5:
                    share = min(np.sqrt(w), 5.0)
                    lengths[r, 0] += share * length(u, v)
                    lengths[r, 1] += share * length(left_u, left_v)
            wd = 0.0
            if abs(e) < LARGEST_DISPARITY_RESIDUAL:
                wd = 1.0 / (2.0 * disparity_sigma * disparity_sigma)
            if robust:
                w /= 1.0 + w * (left_u * left_u + left_v * left_v) / 9.0
                off = e + kd * D[2]
                wd /= 1.0 + wd * off * off / 9.0
            n, h = normal[r], right[r]
            n[0, 0] += w * kx * kx
            n[1, 1] += w * ky * ky
            n[0, 2] -= w * kx * kx * a
            n[1, 2] -= w * ky * ky * b
            n[2, 2] += w * (kx * kx * a * a + ky * ky * b * b)
            h[0] += w * kx * u
            h[1] += w * ky * v
            h[2] -= w * (kx * a * u + ky * b * v)
            if wd > 0.0:
                n[2, 2] += wd * kd * kd
                h[2] -= wd * kd * e


def fit_object_motion(
    scene: SceneFlow, weighed: StaticEvidence, region: NDArray[np.int64], regions: int
) -> ObjectMotion:
    """One translation per region by iteratively reweighted least squares, Cauchy-like weights.

    A static point would be at (X, Y, Z) at t+1. Displaced by D it is seen u pixels beside that,
    with u Z / f = D_x - (X/Z + u/f) D_z (y likewise), and its disparity d has become d + e, with
    -e Z = (d + e) D_z. Both follow from the projection without approximation and are linear in D.

    Args:
        scene: measurements.
        weighed: residuals and their noise.
        region: int64 (h, w), 0 = none.
        regions: number of regions.
    """
    rig = scene.rig
    camera = np.array([rig.fx, rig.fy, rig.cx, rig.cy, rig.focal_baseline])
    motion = np.zeros((regions + 1, 3))
    lengths = np.zeros((regions + 1, 2))
    for round_ in range(ROUNDS + 1):
        normal, right = np.zeros((regions + 1, 3, 3)), np.zeros((regions + 1, 3))
        lengths[:] = 0.0
        _accumulate(
            region,
            weighed.disparity,
            weighed.known,
            weighed.residual,
            weighed.disparity_residual,
            weighed.sigma,
            weighed.informative,
            weighed.evidence,
            weighed.disparity_sigma,
            scene.stride,
            camera,
            weighed.ego_motion.rotation,
            weighed.ego_motion.translation_m,
            motion,
            round_ > 0,
            normal,
            right,
            lengths,
        )
        if round_ == ROUNDS:
            break
        normal[:, 2, 0], normal[:, 2, 1] = normal[:, 0, 2], normal[:, 1, 2]
        ridge = 1e-6 * (1.0 + np.trace(normal, axis1=1, axis2=2))
        motion = np.linalg.solve(normal + ridge[:, None, None] * np.eye(3), right[..., None])[
            ..., 0
        ]
    explained = 1.0 - lengths[:, 1] / np.maximum(lengths[:, 0], 1e-9)
    return ObjectMotion(motion, np.linalg.norm(motion, axis=1), explained)
