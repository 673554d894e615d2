"""The calibrated, rectified stereo rig; everything that turns pixels into metres asks it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CalibrationError, InputError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StereoRig:
    """A rectified pair of pinhole cameras side by side.

    The camera frame is optical (REP-103): x right, y down, z forward, origin in the left camera.
    Pixel centres lie at integer coordinates counted from 0.

    Attributes:
        K: float64 (3, 3), intrinsics that both rectified images share, pixels.
        baseline_m: distance from the left to the right camera along +x, metres, positive.
        width: image width, pixels.
        height: image height, pixels.

    Raises:
        CalibrationError: K is not an upright pinhole matrix, or the baseline or the size is not
            positive.
    """

    K: NDArray[np.float64]
    baseline_m: float
    width: int
    height: int

    def __post_init__(self) -> None:
        K = np.array(self.K, dtype=np.float64)
        if K.shape != (3, 3) or not np.isfinite(K).all():
            raise CalibrationError(
                f"K: expected a finite (3, 3) matrix, found shape {K.shape}: {K.tolist()}"
            )
        if K[0, 0] <= 0 or K[1, 1] <= 0:
            raise CalibrationError(
                f"K: focal lengths are {K[0, 0]} and {K[1, 1]} px, expected positive ones: "
                "the camera is not calibrated"
            )
        if K[0, 1] != 0 or K[1, 0] != 0 or K[2].tolist() != [0.0, 0.0, 1.0]:
            raise CalibrationError(
                f"K: expected an upright pinhole without skew, found {K.tolist()}: "
                "rectify the images"
            )
        if not np.isfinite(self.baseline_m) or self.baseline_m <= 0:
            raise CalibrationError(
                f"baseline: expected a positive distance in metres, found {self.baseline_m}. "
                "A negative one means that left and right are swapped, zero that the right "
                "camera has no stereo calibration"
            )
        if self.width <= 0 or self.height <= 0:
            raise CalibrationError(
                f"size: expected a positive one, found {self.width}x{self.height}"
            )
        K.setflags(write=False)
        object.__setattr__(self, "K", K)

    @property
    def fx(self) -> float:
        """Horizontal focal length, pixels."""
        return float(self.K[0, 0])

    @property
    def fy(self) -> float:
        """Vertical focal length, pixels."""
        return float(self.K[1, 1])

    @property
    def cx(self) -> float:
        """Column of the principal point, pixels."""
        return float(self.K[0, 2])

    @property
    def cy(self) -> float:
        """Row of the principal point, pixels."""
        return float(self.K[1, 2])

    @property
    def focal_baseline(self) -> float:
        """fx times baseline, pixel metres: depth = focal_baseline / disparity."""
        return self.fx * self.baseline_m

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) as NumPy counts."""
        return self.height, self.width

    def resized(self, width: int, height: int) -> StereoRig:
        """The rig of the same images resized to `width` x `height`.

        Pixel centres are at integers, so the principal point moves with the half pixel:
        c' = (c + 0.5) s - 0.5.
        """
        sx, sy = width / self.width, height / self.height
        K = np.array(
            [
                [self.fx * sx, 0.0, (self.cx + 0.5) * sx - 0.5],
                [0.0, self.fy * sy, (self.cy + 0.5) * sy - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )
        return StereoRig(K, self.baseline_m, width, height)

    def cropped(self, left: int, top: int, width: int, height: int) -> StereoRig:
        """The rig of the window whose first pixel is (`left`, `top`); K moves along.

        Raises:
            InputError: the window leaves the image.
        """
        if left < 0 or top < 0 or left + width > self.width or top + height > self.height:
            raise InputError(
                f"crop {width}x{height} at ({left}, {top}) leaves the image of "
                f"{self.width}x{self.height}"
            )
        K = self.K.copy()
        K[0, 2] -= left
        K[1, 2] -= top
        return StereoRig(K, self.baseline_m, width, height)

    def depth(self, disparity: NDArray[np.floating]) -> FloatArray:
        """Depth along the optical axis, float32 metres; NaN where the disparity is not positive."""
        return self._reciprocal(disparity)

    def disparity(self, depth: NDArray[np.floating]) -> FloatArray:
        """Disparity, float32, pixels, of a depth in metres; NaN where the depth is not positive."""
        return self._reciprocal(depth)

    def _reciprocal(self, values: NDArray[np.floating]) -> FloatArray:
        found = np.asarray(values, dtype=np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            result = np.float32(self.focal_baseline) / found
        known: FloatArray = np.where(found > 0, result, np.float32(np.nan)).astype(
            np.float32, copy=False
        )
        return known

    def back_project(self, depth: NDArray[np.floating]) -> FloatArray:
        """Points (H, W, 3) float32, metres, camera frame, of a depth map (H, W) of this rig's size.

        Raises:
            InputError: the depth map has another size.
        """
        if depth.shape != self.shape:
            raise InputError(
                f"depth: expected shape {self.shape} as the rig has, found {depth.shape}"
            )
        rays_x = ((np.arange(self.width) - self.cx) / self.fx).astype(np.float32)
        rays_y = ((np.arange(self.height) - self.cy) / self.fy).astype(np.float32)
        points = np.empty((*self.shape, 3), np.float32)
        points[..., 2] = depth
        np.multiply(points[..., 2], rays_x[None, :], out=points[..., 0])
        np.multiply(points[..., 2], rays_y[:, None], out=points[..., 1])
        return points

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels (..., 2) of points (..., 3), metres, camera frame; NaN behind the camera."""
        found = np.asarray(points, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(found[..., 2] > 0, found[..., 2], np.nan)
            return np.stack(
                [self.fx * found[..., 0] / z + self.cx, self.fy * found[..., 1] / z + self.cy],
                axis=-1,
            )
