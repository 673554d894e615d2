"""A few frames of each drive, looked at: pictures to show, disparity and rows to judge the rig by.

The overview shows them; a dataset of any size costs the same few looks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frame_quality import measure
from cups_core.frames import StereoFrame
from cups_core.motion.consistency import disparity_consistency
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings
from cups_core.rig_validation import EpipolarMeasure, RigFault, measure_drive
from cups_training.dataset.drive import Drive
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.reasons import KEPT
from cups_training.whole_files import FileError, read_picture

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
        time_s: since the start of its drive, seconds.
        left: uint8 (H, WIDTH, 3), RGB, reduced.
        right: likewise.
        disparity: float32 (H, WIDTH), pixels of the reduced picture, 0 = unknown.
        valid_share: share of the picture in which both views agree on the disparity.
        fault: why there is no picture; all else is empty then.
    """

    time_s: float
    left: Image
    right: Image
    disparity: NDArray[np.float32]
    valid_share: float
    fault: str

    @property
    def complaint(self) -> str:
        """What is wrong with this frame; empty where nothing is."""
        if self.fault or self.valid_share >= LEAST_VALID:
            return self.fault
        return f"left and right agree in only {self.valid_share:.0%} of the picture"


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a drive.

    Attributes:
        samples: some of its frames, in order of time.
        rows: how the rows of left and right fit in all of them; None where none could be read.
    """

    samples: tuple[Sample, ...]
    rows: EpipolarMeasure | None

    @property
    def rig_complaint(self) -> str:
        """What is wrong with the rig; empty where nothing is."""
        if self.rows is None or self.rows.fault in (None, RigFault.UNKNOWN):
            return ""
        return self.rows.verdict


NO_LOOK = Look((), None)


def look_at(facts: DriveFacts, count: int) -> Look:
    """Look at some keyframes of a drive, spread over its time; at any frames where none is kept."""
    begins = [pair.first_s for pair in facts.pairs if pair.kind == KEPT]
    candidates = np.flatnonzero(np.isin(facts.times_s, begins))
    if not candidates.size:
        candidates = np.arange(len(facts.drive))
    places = np.unique(((np.arange(count) + 0.5) * len(candidates) / count).astype(int))
    samples, pairs = [], []
    for place in places[: len(candidates)]:
        index = int(candidates[place])
        time_s = float(facts.times_s[index])
        try:
            frame = facts.drive.frame(index)
        except (FileError, InputError) as problem:
            samples.append(_broken(time_s, str(problem).replace(f"{facts.drive.path}/", "")))
        else:
            samples.append(_sample(time_s, frame))
            pairs.append((frame.left, frame.right))
    return Look(tuple(samples), measure_drive(pairs) if pairs else None)


def measured_in_part(facts: DriveFacts, count: int) -> DriveFacts:
    """The facts of a drive that was never measured, with measures of some of its frames."""
    sharpness, brightness = facts.sharpness.copy(), facts.brightness.copy()
    for index in np.unique(np.linspace(0, len(facts.drive) - 1, count).astype(int)):
        path = facts.drive.picture(int(index), "left")
        if path.exists():
            quality = measure(_gray(read_picture(path)))
            sharpness[index], brightness[index] = quality.sharpness, quality.brightness
    return dataclasses.replace(facts, sharpness=sharpness, brightness=brightness)


def _gray(picture: NDArray[np.generic]) -> Image:
    return np.asarray(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture, np.uint8
    )


def _broken(time_s: float, fault: str) -> Sample:
    nothing = np.zeros((1, 1, 3), np.uint8)
    return Sample(time_s, nothing, nothing, np.zeros((1, 1), np.float32), 0.0, fault)


def _sample(time_s: float, frame: StereoFrame) -> Sample:
    left, right = _reduced(frame.left), _reduced(frame.right)
    there, back = SemiGlobalMatching(MATCHING).disparities(left, right)
    valid = disparity_consistency(there, back).agrees
    disparity = np.where(valid, there, np.float32(0))
    return Sample(time_s, left, right, disparity, float(valid.mean()), "")


def _reduced(picture: Image) -> Image:
    height = max(2, round(WIDTH * picture.shape[0] / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)


def nearest_depth_m(drive: Drive) -> float:
    """Depth that the largest disparity that is searched for stands for."""
    return drive.rig.focal_baseline * WIDTH / drive.rig.width / MATCHING.range_px
