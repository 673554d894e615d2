"""Measures on the pictures themselves whether a stereo rig is rectified, in order and in step.

`cups inspect`, `cups extract` and `cups import` ask it for a few pairs of each drive: a calibration
file can be well-formed and still belong to other cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

Gray = NDArray[np.uint8]
Matches = NDArray[np.float64]

FEATURES = 2000
FAST_THRESHOLD = 10
# Corners matched by descriptor are refined to a hundredth of a pixel in such a window, both ways.
WINDOW = 15
LARGEST_RETURN_ERROR_PX = 0.3
LARGEST_REFINEMENT_PX = 4.0
FEWEST_MATCHES = 60


@dataclass(frozen=True)
class EpipolarMeasure:
    """How the right picture lies to the left one; y counts downwards, pixels.

    Attributes:
        matches: number of points found in both pictures.
        median_dy_px: median of right row minus left row; 0 in a rectified pair.
        p95_dy_px: 95th percentile of its size.
        roll_deg: rotation of the right picture about its centre that explains the rows best.
        stretch_percent: growth of the row difference from top to bottom, percent of the height.
        scatter_px: 95th percentile of what is left of the row differences after shift, roll and
            stretch: large where the pictures were not taken at one time.
        share_of_negative_disparity: share of points that lie further right in the right picture;
            near 1 where left and right are swapped.
    """

    matches: int
    median_dy_px: float
    p95_dy_px: float
    roll_deg: float
    stretch_percent: float
    scatter_px: float
    share_of_negative_disparity: float

    def row(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def measure_epipolar(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> EpipolarMeasure:
    """Measure one pair of pictures, uint8 (H, W) or (H, W, 3)."""
    return measure_drive([(left, right)])


def measure_drive(
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
) -> EpipolarMeasure:
    """Measure a few pairs of one drive together, uint8 (H, W) or (H, W, 3).

    Raises:
        InputError: there is no pair, or the pictures differ in size.
    """
    shapes = {picture.shape[:2] for pair in pairs for picture in pair}
    if len(shapes) != 1:
        raise InputError(
            f"rig validation: expected pictures of one size, found {sorted(shapes) or 'none'}"
        )
    matches = np.concatenate([_matches(_gray(left), _gray(right)) for left, right in pairs])
    return _measured(matches, shapes.pop())


def _gray(picture: NDArray[np.uint8]) -> Gray:
    return np.asarray(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture, np.uint8
    )


def _matches(left: Gray, right: Gray) -> Matches:
    """Points (N, 4) of both pictures: left column and row, right column and row."""
    finder = cv2.ORB.create(FEATURES, fastThreshold=FAST_THRESHOLD)
    left_points, left_words = finder.detectAndCompute(left, None)
    right_points, right_words = finder.detectAndCompute(right, None)
    if left_words is None or right_words is None:
        return np.empty((0, 4))
    matched = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(left_words, right_words)
    start = np.array([left_points[found.queryIdx].pt for found in matched], np.float32)
    guess = np.array([right_points[found.trainIdx].pt for found in matched], np.float32)
    if not matched:
        return np.empty((0, 4))
    end, there = _refined(left, right, start, guess)
    back, home = _refined(right, left, end, start)
    kept = (
        there
        & home
        & (np.linalg.norm(back - start, axis=1) < LARGEST_RETURN_ERROR_PX)
        & (np.linalg.norm(end - guess, axis=1) < LARGEST_REFINEMENT_PX)
    )
    found: Matches = np.hstack([start, end])[kept].astype(np.float64)
    return found


def _refined(
    first: Gray, second: Gray, points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points,
        guess.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=0,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return found, status.ravel() > 0


def _measured(matches: Matches, shape: tuple[int, int]) -> EpipolarMeasure:
    if len(matches) == 0:
        return EpipolarMeasure(0, *(float("nan"),) * 6)
    height, width = shape
    dy = matches[:, 3] - matches[:, 1]
    x = matches[:, 2] - (width - 1) / 2
    y = matches[:, 3] - (height - 1) / 2
    model = np.column_stack([np.ones_like(x), x, y])
    shift = _least_absolute(model, dy)
    return EpipolarMeasure(
        len(matches),
        float(np.median(dy)),
        float(np.percentile(np.abs(dy), 95)),
        float(np.degrees(shift[1])),
        float(100 * shift[2]),
        float(np.percentile(np.abs(dy - model @ shift), 95)),
        float(np.mean(matches[:, 0] < matches[:, 2])),
    )


def _least_absolute(model: Matches, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The parameters with the least absolute errors, by reweighting: outliers do not pull."""
    weights = np.ones_like(values)
    for _ in range(20):
        scaled = model * weights[:, None]
        # A small ridge keeps a handful of points on one line solvable.
        ridge = 1e-9 * np.trace(scaled.T @ model) * np.eye(model.shape[1])
        parameters = np.linalg.solve(scaled.T @ model + ridge, scaled.T @ values)
        weights = 1.0 / np.maximum(np.abs(values - model @ parameters), 0.05)
    return np.asarray(parameters)
