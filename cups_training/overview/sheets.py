"""Pictures of an overview: samples within the page, and a sheet of each drive beside it.

The overview writes the sheets as JPEG for people who do not open the page.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import color_disparity
from cups_training.contact_sheet import contact_sheet
from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.samples import WIDTH, Sample
from cups_training.overview.words import clock
from cups_training.whole_files import FileError

Image = NDArray[np.uint8]

QUALITY = 82


def largest_disparity_px(samples: Sequence[Sample]) -> float:
    """What the colors of all samples of a drive call near, pixels of the reduced picture."""
    known = [sample.disparity[sample.disparity > 0] for sample in samples]
    values = np.concatenate([*known, np.zeros(0, np.float32)])
    return float(np.percentile(values, 99)) if values.size else 1.0


def views(sample: Sample, largest_px: float) -> tuple[Image, Image, Image]:
    """Left, right and the disparity in colors, RGB of one size."""
    return sample.left, sample.right, color_disparity(sample.disparity, largest_px)


def as_jpeg(picture: Image) -> bytes:
    """The file of a picture.

    Raises:
        FileError: it cannot be encoded.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, data = cv2.imencode(".jpg", picture[..., ::-1], options)
    if not done:
        raise FileError(f"a picture of {picture.shape} cannot be stored as JPEG")
    return bytes(data)


def as_source(picture: Image) -> str:
    """The picture as an `img` within a page holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(picture)).decode('ascii')}"


def drive_sheet(facts: DriveFacts, samples: Sequence[Sample]) -> Image | None:
    """Samples of a drive below each other: left, right, disparity; None where all are broken."""
    shown = [sample for sample in samples if not sample.fault]
    if not shown:
        return None
    largest = largest_disparity_px(shown)
    pictures = [view for sample in shown for view in views(sample, largest)]
    captions = [
        caption
        for sample in shown
        for caption in (
            f"{facts.name}, {clock(sample.time_s)}",
            "right",
            f"disparity, {sample.valid_share:.0%} confirmed",
        )
    ]
    return contact_sheet(pictures, captions, 3, WIDTH)
