"""The road under the rig as a plane in disparity space.

The segmenter keeps shadows and reflections on it out of objects; semantics measures heights from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.scene_flow import SceneFlow
from cups_core.rig import StereoRig

HYPOTHESES = 100
SCORING_POINTS = 800
REFINEMENTS = 5
CAMERA_HEIGHT_M = (0.4, 4.0)
LARGEST_ROLL = 0.2  # tangent of the camera's roll against the road
FEWEST_POINTS = 100


@dataclass(frozen=True, eq=False)
class GroundPlane:
    """disparity = slope_x * x + slope_y * y + offset on the road.

    Planes in space are planes in disparity.

    Attributes:
        slope_x: pixels of disparity per image column.
        slope_y: pixels of disparity per image row, positive.
        offset: pixels.
        camera_height_m: height of the camera above the plane, metres.
    """

    slope_x: float
    slope_y: float
    offset: float
    camera_height_m: float

    def disparity(
        self, columns: NDArray[np.float32], rows: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Disparity of the road, pixels; zero or less above the horizon.

        Returns:
            float32 (len(rows), len(columns)).
        """
        plane = self.slope_x * columns[None, :] + (self.slope_y * rows[:, None] + self.offset)
        return plane.astype(np.float32)


def find_ground_plane(scene: SceneFlow) -> GroundPlane | None:
    """The road plane of a scene's disparities, as `fit_ground_plane` finds it."""
    return fit_ground_plane(scene.disparity, *scene.pixel_coordinates(), scene.rig)


def fit_ground_plane(
    disparities: NDArray[np.float32],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    rig: StereoRig,
) -> GroundPlane | None:
    """The road plane in the lower half of the image; None where too few points lie on any.

    RANSAC over planes that a road can be (camera 0.4 to 4 m above it, little roll), then least
    squares. Points below a plane count against it: things stand on the road, nothing lies under it.
    Seeded, hence deterministic.

    Args:
        disparities: (len(rows), len(columns)), pixels, 0 = unknown.
        columns: image columns of the points, pixels.
        rows: image rows of the points, pixels.
        rig: calibration at image size.
    """
    top = len(rows) // 2
    step = 4
    disparity = disparities[top::step, ::step]
    x, y = np.meshgrid(columns[::step], rows[top::step])
    known = disparity > 1.0
    found = disparity[known].astype(np.float64)
    if len(found) < FEWEST_POINTS:
        return None
    design = np.stack([x[known], y[known], np.ones(len(found))], axis=1).astype(np.float64)
    random = np.random.default_rng(0)
    draws = random.integers(0, len(found), (HYPOTHESES, 3))
    systems = design[draws]
    spread = np.abs(np.linalg.det(systems)) > 1e3
    planes = np.linalg.solve(systems[spread], found[draws[spread]][..., None])[..., 0]
    slope = planes[:, 1]
    with np.errstate(divide="ignore"):
        height = rig.baseline_m * rig.fx / rig.fy / slope
    upright = (slope > 0) & (height > CAMERA_HEIGHT_M[0]) & (height < CAMERA_HEIGHT_M[1])
    planes = planes[upright & (np.abs(planes[:, 0]) < LARGEST_ROLL * slope)]
    if len(planes) == 0:
        return None
    sample = random.permutation(len(found))[:SCORING_POINTS]
    predicted = design[sample] @ planes.T
    tolerance = np.maximum(0.5, 0.03 * predicted)
    above = found[sample][:, None] - predicted
    score = (np.abs(above) < tolerance).mean(0) - (above < -3 * tolerance).mean(0)
    plane = planes[int(np.argmax(score))]
    for _ in range(REFINEMENTS):
        predicted = design @ plane
        inliers = np.abs(found - predicted) < np.maximum(0.5, 0.03 * predicted)
        if inliers.sum() < FEWEST_POINTS:
            return None
        plane = np.linalg.lstsq(design[inliers], found[inliers], rcond=None)[0]
    if plane[1] <= 0:
        return None
    camera_height = float(rig.baseline_m * rig.fx / rig.fy / plane[1])
    return GroundPlane(float(plane[0]), float(plane[1]), float(plane[2]), camera_height)
