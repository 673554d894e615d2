"""A few frames of each drive, looked at: pictures to show, disparity and rows to judge the rig by.

The overview shows them; a dataset of any size costs the same few looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.consistency import disparity_consistency
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings
from cups_core.rig_validation import EpipolarMeasure, RigFault, measure_epipolar
from cups_training.dataset.drive import Drive
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.reasons import KEPT
from cups_training.whole_files import FileError

Image = NDArray[np.uint8]

WIDTH = 480
# A fifth of the width reaches to about 3 m with an ordinary rig.
MATCHING = SemiGlobalMatchingSettings(range_px=96, downscale=1, speckle_px=100)
LEAST_VALID = 0.25
"""Share of the picture in which both views must agree on the disparity; good rigs reach 0.5."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame that was looked at.

    Attributes:
        index: of the frame in its drive.
        time_s: since the start of its drive, seconds.
        left: uint8 (H, WIDTH, 3), RGB, reduced.
        right: likewise.
        disparity: float32 (H, WIDTH), pixels of the reduced picture, 0 = unknown.
        valid_share: share of the picture in which both views agree on the disparity.
        rows: how the rows of both pictures fit.
        fault: why there is no picture; all else is empty then.
    """

    index: int
    time_s: float
    left: Image
    right: Image
    disparity: NDArray[np.float32]
    valid_share: float
    rows: EpipolarMeasure | None
    fault: str

    @property
    def complaint(self) -> str:
        """What is wrong with the rig as this frame shows it; empty where nothing is."""
        if self.fault:
            return self.fault
        if self.rows is not None and self.rows.fault not in (None, RigFault.UNKNOWN):
            return self.rows.verdict
        if self.valid_share < LEAST_VALID:
            return f"left and right agree in only {self.valid_share:.0%} of the picture"
        return ""


def sampled(facts: DriveFacts, count: int) -> list[Sample]:
    """Look at some keyframes of a drive, spread over its time; at any frames where none is kept."""
    begins = [pair.first_s for pair in facts.pairs if pair.kind == KEPT]
    candidates = np.flatnonzero(np.isin(facts.times_s, begins))
    if not candidates.size:
        candidates = np.arange(len(facts.drive))
    places = np.unique(((np.arange(count) + 0.5) * len(candidates) / count).astype(int))
    return [_look(facts, int(candidates[place])) for place in places[: len(candidates)]]


def _look(facts: DriveFacts, index: int) -> Sample:
    time_s = float(facts.times_s[index])
    try:
        frame = facts.drive.frame(index)
    except (FileError, InputError) as problem:
        nothing = np.zeros((1, 1, 3), np.uint8)
        message = str(problem).replace(f"{facts.drive.path}/", "")
        return Sample(
            index, time_s, nothing, nothing, np.zeros((1, 1), np.float32), 0.0, None, message
        )
    left, right = _reduced(frame.left), _reduced(frame.right)
    there, back = SemiGlobalMatching(MATCHING).disparities(left, right)
    valid = disparity_consistency(there, back).agrees
    return Sample(
        index,
        time_s,
        left,
        right,
        np.where(valid, there, np.float32(0)),
        float(valid.mean()),
        measure_epipolar(frame.left, frame.right),
        "",
    )


def _reduced(picture: Image) -> Image:
    height = max(2, round(WIDTH * picture.shape[0] / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)


def nearest_depth_m(drive: Drive) -> float:
    """Depth that the largest disparity that is searched for stands for."""
    return drive.rig.focal_baseline * WIDTH / drive.rig.width / MATCHING.range_px
