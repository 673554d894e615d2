"""Measures on the pictures themselves whether a stereo rig is rectified, in order and in step.

`cups inspect`, `cups extract` and `cups import` ask it for a few pairs of each drive: a calibration
file can be well-formed and still belong to other cameras.
"""

from __future__ import annotations

import enum
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
# Good rigs measure up to 0.55 px, 0.09 degrees, 0.44 % and 0.47 px in a single pair
# (`python -m benchmark.rig_validation`).
LARGEST_SHIFT_PX = 0.6
LARGEST_ROLL_DEG = 0.12
LARGEST_STRETCH_PERCENT = 0.8
LARGEST_SCATTER_PX = 0.6


class RigFault(enum.Enum):
    """What is wrong with a rig, from what must be mended first."""

    UNKNOWN = "too few points match"
    SWAPPED = "left and right are swapped"
    SCATTERED = "not rectified, or not taken at one time"
    ROLLED = "one camera is rolled"
    STRETCHED = "the cameras differ in scale or in time"
    SHIFTED = "one camera is shifted"


@dataclass(frozen=True)
class EpipolarMeasure:
    """How the right picture lies to the left one; y counts downwards, pixels.

    Attributes:
        matches: number of points found in both pictures.
        median_dy_px: median of right row minus left row; 0 in a rectified pair.
        p95_dy_px: 95th percentile of its size.
        roll_deg: rotation of the right picture about its centre that explains the rows best.
        stretch_percent: growth of the row difference from top to bottom, percent of the height.
        scatter_px: 75th percentile of what is left of the row differences after shift, roll and
            stretch: large where the pictures were not taken at one time. Up to a quarter of the
            points may be wrong matches or passers-by.
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

    @property
    def fault(self) -> RigFault | None:
        """What is wrong, or None."""
        if self.matches < FEWEST_MATCHES:
            return RigFault.UNKNOWN
        found = {
            RigFault.SWAPPED: self.share_of_negative_disparity > 0.5,
            RigFault.SCATTERED: self.scatter_px > LARGEST_SCATTER_PX,
            RigFault.ROLLED: abs(self.roll_deg) > LARGEST_ROLL_DEG,
            RigFault.STRETCHED: abs(self.stretch_percent) > LARGEST_STRETCH_PERCENT,
            RigFault.SHIFTED: abs(self.median_dy_px) > LARGEST_SHIFT_PX,
        }
        return next((fault for fault, is_there in found.items() if is_there), None)

    @property
    def verdict(self) -> str:
        """One sentence for people: what was measured and, where it is wrong, what to do."""
        rows = f"rows differ by {self.median_dy_px:.2f} px (95 %: {self.p95_dy_px:.1f} px)"
        recalibrate = "calibrate the stereo pair again, or rectify with its calibration"
        sentences = {
            None: f"rectified and in order: {rows} at {self.matches} points",
            RigFault.UNKNOWN: (
                f"only {self.matches} points were found in both pictures, expected "
                f"{FEWEST_MATCHES}: look at the pictures; dark or blank ones cannot be judged"
            ),
            RigFault.SWAPPED: (
                f"{self.share_of_negative_disparity:.0%} of the points lie further right in the "
                "right picture: left and right are swapped; exchange the two cameras' topics"
            ),
            RigFault.SCATTERED: (
                f"a quarter of the points lie more than {self.scatter_px:.1f} px off their row, "
                "and no shift or tilt explains it: "
                "the pictures are not rectified (rectify them with their calibration), or the "
                "cameras did not fire together (compare the stamps, trigger both by hardware)"
            ),
            RigFault.ROLLED: (
                f"the right picture is turned by {self.roll_deg:.2f} degrees ({rows}): "
                f"{recalibrate}"
            ),
            RigFault.STRETCHED: (
                f"rows drift apart by {self.stretch_percent:.1f} % of the height ({rows}): the "
                "cameras did not fire together while driving (compare the stamps, trigger both by "
                f"hardware), or their focal lengths differ ({recalibrate})"
            ),
            RigFault.SHIFTED: f"{rows}: a camera moved since it was calibrated; {recalibrate}",
        }
        return sentences[self.fault]

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
        float(np.percentile(np.abs(dy - model @ shift), 75)),
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
