"""The points that rigid-motion clustering works on: where each is, where it went, how well known.

Proposals, consensus and refinement read them; they are measured once per image for all runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.scene_flow import Map, SceneFlow
from cups_core.motion.static_evidence import StaticEvidence
from cups_core.rig import StereoRig

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# The flow of what moves against its surroundings is smoothed with theirs: wrong by this share.
SMOOTHED_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class MeasuredPoints:
    """N points with their measurements at both times.

    Attributes:
        rig: calibration at image size.
        rows: int64 (N,), rows on the scene-flow grid, and
        columns: int64 (N,), columns.
        position: float64 (N, 3), metres, camera frame at t.
        disparity: float64 (N,), pixels, at t, mean of the surface within 3x3.
        measured: float64 (N, 3), where flow takes the point, x and y, and the disparity found
            there, pixels; NaN where none was found.
        sigma: float64 (N,), noise of the flow, pixels.
        sigma_disparity: noise of one disparity, pixels.
    """

    rig: StereoRig
    rows: Integers
    columns: Integers
    position: Floats
    disparity: Floats
    measured: Floats
    sigma: Floats
    sigma_disparity: float

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> MeasuredPoints:
        """The chosen points."""
        return MeasuredPoints(
            self.rig,
            self.rows[chosen],
            self.columns[chosen],
            self.position[chosen],
            self.disparity[chosen],
            self.measured[chosen],
            self.sigma[chosen],
            self.sigma_disparity,
        )

    @property
    def camera(self) -> Floats:
        """fx, fy, cx, cy, focal length times baseline, as the kernels take them."""
        rig = self.rig
        return np.array([rig.fx, rig.fy, rig.cx, rig.cy, rig.focal_baseline])

    @property
    def sigma_depth(self) -> Floats:
        """Noise of the depth at t, float64 (N,), metres."""
        return self.position[:, 2] ** 2 / self.rig.focal_baseline * self.sigma_disparity

    def position_after(self) -> Floats:
        """Where flow and disparity put the points at t+1, (N, 3), metres; NaN without disparity."""
        rig = self.rig
        x, y, disparity = self.measured.T
        z = rig.focal_baseline / disparity
        return np.stack([(x - rig.cx) / rig.fx * z, (y - rig.cy) / rig.fy * z, z], 1)


@kernel
def _surface_mean(values: Map, y: int, x: int, about: float) -> float:
    """Mean of the values within 3x3 on the surface of disparity `about`; NaN if there are none."""
    total, count = 0.0, 0
    tolerance = max(1.0, 0.06 * about)
    for i in range(max(0, y - 1), min(values.shape[0], y + 2)):
        for j in range(max(0, x - 1), min(values.shape[1], x + 2)):
            value = values[i, j]
            if value > 0 and abs(value - about) < tolerance:
                total += value
                count += 1
    return total / count if count > 0 else np.nan


@kernel
def _disparities(
    disparity: Map,
    next_disparity: Map,
    next_map: Map,
    rows: Integers,
    columns: Integers,
    target: Floats,
) -> tuple[Floats, Floats]:
    now, after = np.empty(len(rows)), np.full(len(rows), np.nan)
    for n in range(len(rows)):
        i, j = rows[n], columns[n]
        now[n] = _surface_mean(disparity, i, j, disparity[i, j])
        y, x = int(target[n, 1] + 0.5), int(target[n, 0] + 0.5)
        if next_disparity[i, j] > 0 and 0 <= y < next_map.shape[0] and 0 <= x < next_map.shape[1]:
            after[n] = _surface_mean(next_map, y, x, next_disparity[i, j])
    return now, after


def measure_points(
    scene: SceneFlow,
    weighed: StaticEvidence,
    chosen: NDArray[np.bool_],
    sigma_flow: float,
    sigma_disparity: float,
) -> MeasuredPoints:
    """Measurements of the chosen grid points.

    Args:
        scene: measurements on a grid.
        weighed: residual flow, averaged over the surface, and its noise.
        chosen: bool (h, w), points with a known disparity.
        sigma_flow: least noise of either component of the flow, pixels.
        sigma_disparity: noise of one disparity, pixels.
    """
    rig = scene.rig
    rows, columns = np.nonzero(chosen)
    x, y = columns * float(scene.stride), rows * float(scene.stride)
    rays = np.stack([(x - rig.cx) / rig.fx, (y - rig.cy) / rig.fy, np.ones(len(x))], 1)
    # The residual is the deviation from where ego-motion takes the point if its disparity is the
    # one measured just there.
    z = rig.focal_baseline / scene.disparity[rows, columns].astype(np.float64)
    residual = weighed.residual[rows, columns].astype(np.float64)
    target = rig.project(weighed.ego_motion.apply(rays * z[:, None])) + residual
    now, after = _disparities(
        scene.disparity, scene.next_disparity, scene.next_map, rows, columns, target
    )
    least = np.maximum(weighed.sigma[rows, columns], sigma_flow)
    return MeasuredPoints(
        rig,
        rows,
        columns,
        rays * (rig.focal_baseline / now)[:, None],
        now,
        np.concatenate([target, after[:, None]], 1),
        np.hypot(least, SMOOTHED_SHARE * np.hypot(*residual.T)),
        sigma_disparity,
    )
