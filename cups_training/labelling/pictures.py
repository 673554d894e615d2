"""Reads the frames of a clip and says of each why it cannot be labelled, where it cannot.

Labelling takes its pictures from here: a broken one costs its own frame, not the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_training.dataset.drive import Drive
from cups_training.whole_files import FileError

DARK, BRIGHT = 8, 247
USELESS_SHARE = 0.9
LEAST_CONTRAST = 2.0


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame, or why there is none.

    Attributes:
        stamp_ns: of the frame.
        frame: None where it cannot be used.
        fault: why not; empty where it can.
    """

    stamp_ns: int
    frame: StereoFrame | None
    fault: str


def read_pictures(drive: Drive, indices: range) -> list[Picture]:
    """The frames with these indices, each read and looked at."""
    return [_read(drive, index) for index in indices]


def _read(drive: Drive, index: int) -> Picture:
    stamp_ns = drive.stamps_ns[index]
    try:
        frame = drive.frame(index)
    except FileError as problem:
        return Picture(stamp_ns, None, f"unreadable: {_without(problem, drive)}")
    except InputError as problem:
        return Picture(stamp_ns, None, f"size: {problem}")
    for side, image in (("left", frame.left), ("right", frame.right)):
        fault = exposure_fault(image)
        if fault:
            return Picture(stamp_ns, None, f"{fault} {side} image")
    return Picture(stamp_ns, frame, "")


def _without(problem: FileError, drive: Drive) -> str:
    """The message with paths inside the drive, the same wherever the dataset lies."""
    return str(problem).replace(f"{drive.path}/", "")


def exposure_fault(image: NDArray[np.uint8]) -> str:
    """Why an image shows nothing: "black", "saturated" or "uniform"; empty where it does.

    Args:
        image: uint8 (H, W, 3), RGB.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shares = np.cumsum(cv2.calcHist([gray], [0], None, [256], [0, 256])) / gray.size
    if shares[DARK] > USELESS_SHARE:
        return "black"
    if 1 - shares[BRIGHT - 1] > USELESS_SHARE:
        return "saturated"
    if cv2.meanStdDev(gray)[1].item() < LEAST_CONTRAST:
        return "uniform"
    return ""
