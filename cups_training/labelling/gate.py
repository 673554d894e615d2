"""The gate: may these labels be trained on, and if not, what is the main cause and what to do.

Finishing asks it once for all frames; its verdict is the exit code of `cups label`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cups_core.settings import setting
from cups_training.labelling.clip_result import EMPTY, FAILED, LABELLED
from cups_training.labelling.quality import FrameQuality

ADVICE = {
    "unreadable": "copy or extract these pictures again",
    "size": "the calibration belongs to other pictures: extract the drive again",
    "black": "the camera gave no light: leave these parts of the drive out",
    "saturated": "the camera was blinded or its exposure fixed: leave these parts out",
    "uniform": "the picture shows nothing: is the lens covered, the camera unplugged?",
    "no valid depth": "left and right do not match: are they swapped, badly rectified, or is "
    "disparity_range_px too small for this rig?",
    "disparity": "the estimator failed: see which drive it is and label it with other weights",
    "motion": "frames cannot be compared with their neighbours: look at gaps in the drive, blur "
    "and rectification",
    "semantics": "the semantic model does not fit these pictures: fit one on this dataset",
    "nothing moves": "drive where others move, or lower minimum_speed_mps and minimum_evidence",
    "no thing": "too few objects moved to tell which classes are things: label more drives, lower "
    "thing_confidence, or give other classes; thing_stuff.json has the evidence",
}


@dataclass(frozen=True)
class GateSettings:
    """How many frames without a usable mask are too many."""

    maximum_empty: float = setting(
        0.6, "largest share of frames whose label holds no mask", minimum=0.0, maximum=1.0
    )
    maximum_failed: float = setting(
        0.1, "largest share of frames without a label", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes:
        faults: one sentence for each limit that was passed, with cause and advice; none = passed.
        causes: number of frames by cause, most frequent first.
    """

    faults: tuple[str, ...]
    causes: tuple[tuple[str, int], ...]

    @property
    def is_passed(self) -> bool:
        """Whether the labels may be trained on."""
        return not self.faults


def judge(frames: Sequence[FrameQuality], settings: GateSettings) -> Verdict:
    """Compare the shares of empty and failed frames with their limits."""
    faults = []
    for status, limit, name in (
        (EMPTY, settings.maximum_empty, "maximum_empty"),
        (FAILED, settings.maximum_failed, "maximum_failed"),
    ):
        concerned = [frame for frame in frames if frame.status == status]
        if len(concerned) > limit * len(frames):
            cause, count = _causes(concerned)[0]
            faults.append(
                f"{len(concerned)} of {len(frames)} frames are {status}, more than "
                f"{name} = {limit:g} allows; main cause, {count} frames: {cause}. "
                f"{ADVICE[cause].capitalize()}"
            )
    return Verdict(tuple(faults), _causes([f for f in frames if f.status != LABELLED]))


def _causes(frames: Sequence[FrameQuality]) -> tuple[tuple[str, int], ...]:
    counted = Counter(frame.cause for frame in frames)
    return tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
