"""Pictures into an MP4 that browsers and players show; the demo writes its overlay with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CupsError

# VP9 plays in browsers and in every common player; MPEG-4 part 2 is in every build of OpenCV.
CODECS = ("vp09", "mp4v")


def write_video(path: Path, pictures: Iterable[NDArray[np.uint8]], rate_hz: float) -> int:
    """Writes the pictures and returns their number.

    Args:
        path: ends in .mp4.
        pictures: uint8 (H, W, 3), RGB, all of one size.
        rate_hz: pictures per second.

    Raises:
        CupsError: a size changes, there is no picture, or OpenCV has neither codec.
    """
    writer: cv2.VideoWriter | None = None
    size, count = (0, 0), 0
    try:
        for picture in pictures:
            # Both codecs halve the resolution of color: an odd row or column has no partner.
            even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if writer is None:
                size = (even.shape[1], even.shape[0])
                writer = _opened(path, size, rate_hz)
            if size != (even.shape[1], even.shape[0]):
                raise CupsError(
                    f"{path.name}: the size changes from {size[0]}x{size[1]} to "
                    f"{even.shape[1]}x{even.shape[0]} at picture {count}: play the parts separately"
                )
            writer.write(np.ascontiguousarray(even[..., ::-1]))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    if not count:
        raise CupsError(f"{path.name}: there is no picture to write")
    return count


def _opened(path: Path, size: tuple[int, int], rate_hz: float) -> cv2.VideoWriter:
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        for codec in CODECS:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate_hz, size)
            if writer.isOpened():
                return writer
    finally:
        cv2.utils.logging.setLogLevel(level)
    raise CupsError(
        f"{path}: OpenCV {cv2.__version__} can write neither {' nor '.join(CODECS)}: "
        "pip install opencv-python-headless"
    )
