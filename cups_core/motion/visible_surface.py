"""Size of the surface of an object that a camera sees, from its pixels and their disparities.

The object table tells by it what is too small or too large to be an object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.rig import StereoRig

# Disparities near edges are wrong by about this much, over patches of so many points: what a slope
# is worth.
SIGMA_PX = 1.0
PATCH_POINTS = 100.0


def visible_surface_m2(
    columns: NDArray[np.floating],
    rows: NDArray[np.floating],
    disparity: NDArray[np.floating],
    point_px2: float,
    rig: StereoRig,
) -> float:
    """Area of the plane nearest to the points, square metres.

    A pixel at depth Z covers Z^2 / (fx fy) of a plane that faces the camera, and |N| / (N . r)
    times that of a plane with normal N, where r is its ray with unit depth. Planes in space are
    planes in disparity, where the noise is the same everywhere; slopes that the noise could have
    made are drawn towards none.

    Args:
        columns: (N,), pixels.
        rows: (N,), pixels.
        disparity: (N,), pixels, positive.
        point_px2: pixels that each point stands for.
        rig: calibration.
    """
    x, y = columns - columns.mean(), rows - rows.mean()
    middle = float(np.median(disparity))
    # One radian of tilt, roughly, changes the disparity by this per pixel.
    tilt = middle / np.array([rig.fx, rig.fy])
    slopes = np.stack([x, y], 1)
    weight = 1.0 / (PATCH_POINTS * SIGMA_PX**2)
    normal = weight * slopes.T @ slopes + np.diag(tilt**-2.0)
    a, b = np.linalg.solve(normal, weight * slopes.T @ (disparity - middle))
    # d = middle + a x + b y, in space N . (X, Y, Z) = fx baseline with this normal:
    from_centre = np.array([columns.mean() - rig.cx, rows.mean() - rig.cy])
    n = np.array([a * rig.fx, b * rig.fy, middle - a * from_centre[0] - b * from_centre[1]])
    # Where the plane runs away to infinity the object does not.
    plane = np.maximum(middle + a * x + b * y, 0.5 * middle)
    depth = rig.focal_baseline / plane
    area = depth**2 / (rig.fx * rig.fy) * np.linalg.norm(n) / plane
    return float(point_px2 * area.sum())
