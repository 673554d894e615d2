"""Rigid motions in 3-D and their least-squares fit; ego-motion and object motion use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """x -> R x + t.

    Attributes:
        rotation: float64 (3, 3), orthonormal with determinant 1.
        translation_m: float64 (3,), metres.
    """

    rotation: NDArray[np.float64]
    translation_m: NDArray[np.float64]

    @staticmethod
    def identity() -> RigidTransform:
        """The motion that leaves everything where it is."""
        return RigidTransform(np.eye(3), np.zeros(3))

    @staticmethod
    def from_twist(twist: NDArray[np.floating]) -> RigidTransform:
        """Rotation vector (rad) in twist[:3] by Rodrigues, translation (m) in twist[3:]."""
        omega = np.asarray(twist[:3], dtype=np.float64)
        angle = float(np.linalg.norm(omega))
        W = np.array([[0, -omega[2], omega[1]], [omega[2], 0, -omega[0]], [-omega[1], omega[0], 0]])
        if angle < 1e-9:
            rotation = np.eye(3) + W
        else:
            rotation = (
                np.eye(3) + np.sin(angle) / angle * W + (1 - np.cos(angle)) / angle**2 * (W @ W)
            )
        return RigidTransform(rotation, np.array(twist[3:6], dtype=np.float64))

    @property
    def angle_rad(self) -> float:
        """Angle of the rotation, radians."""
        # atan2 of the sine and cosine parts stays accurate at small angles, where arccos of the
        # trace does not.
        R = self.rotation
        sine = 0.5 * np.linalg.norm([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
        return float(np.arctan2(sine, 0.5 * (np.trace(R) - 1)))

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Moved points (..., 3), metres."""
        return np.asarray(np.asarray(points, np.float64) @ self.rotation.T + self.translation_m)

    def after(self, first: RigidTransform) -> RigidTransform:
        """The motion that does `first`, then this one."""
        return RigidTransform(self.rotation @ first.rotation, self.apply(first.translation_m))

    def inverse(self) -> RigidTransform:
        """The motion that undoes this one."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.translation_m)


def fit_rigid_transform(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> RigidTransform:
    """The rigid motion from `source` to `target` of least weighted squared error (Kabsch 1976).

    Args:
        source: (N, 3), metres, N >= 3.
        target: (N, 3), metres.
        weights: (N,) non-negative; None = all equal.

    Raises:
        InputError: fewer than three points, or shapes that differ.
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        raise InputError(
            f"rigid fit: expected two (N >= 3, 3) arrays, found {source.shape} and {target.shape}"
        )
    rotation, translation = fit_rigid_transforms(
        source[None], target[None], None if weights is None else weights[None]
    )
    return RigidTransform(rotation[0], translation[0])


def fit_rigid_transforms(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same fit for B point sets at once.

    Two points leave the turn about their line open; one of the best rotations is returned.

    Args:
        source: (B, N, 3), metres.
        target: (B, N, 3), metres.
        weights: (B, N) non-negative, not all zero in any set; None = all equal.

    Returns:
        Rotations float64 (B, 3, 3) and translations float64 (B, 3), metres.
    """
    w = np.ones(source.shape[:2]) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum(1, keepdims=True)
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    mean_a, mean_b = np.einsum("bn,bni->bi", w, a), np.einsum("bn,bni->bi", w, b)
    covariance = np.einsum("bn,bni,bnj->bij", w, a - mean_a[:, None], b - mean_b[:, None])
    U, _, Vt = np.linalg.svd(covariance)
    V = Vt.transpose(0, 2, 1).copy()
    # A reflection also minimises the error for planar points: force determinant 1.
    V[:, :, 2] *= np.sign(np.linalg.det(V) * np.linalg.det(U))[:, None]
    rotation = V @ U.transpose(0, 2, 1)
    return rotation, mean_b - np.einsum("bij,bj->bi", rotation, mean_a)
