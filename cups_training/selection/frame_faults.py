"""What is wrong with single frames: blur, exposure, a picture that the camera delivered twice.

Selection drops the pairs that such a frame belongs to.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from cups_core.frame_quality import FrameQuality
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_training.selection.settings import SelectionSettings

BLURRED, DARK, BRIGHT, REPEATED = "blurred", "too dark", "too bright", "repeated"


def frame_faults(
    stamps_ns: Sequence[int],
    qualities: Sequence[FrameQuality | None],
    settings: SelectionSettings,
) -> list[list[str]]:
    """What is wrong with each frame; nothing with one that was not measured.

    Args:
        stamps_ns: ascending, nanoseconds.
        qualities: of the frames, None = not measured.
        settings: the limits.
    """
    typical = _typical_sharpness(stamps_ns, qualities, settings.neighbours_s)
    found: list[list[str]] = []
    for index, quality in enumerate(qualities):
        faults: list[str] = []
        if quality is not None:
            faults = _exposure_faults(quality, settings)
            # What is hardly exposed has no edges to judge by: one reason is enough.
            faults = faults or _blur_faults(quality, typical[index], settings)
            if index and quality == qualities[index - 1]:
                faults.append(f"{REPEATED}: the same picture as the frame before")
        found.append(faults)
    return found


def _exposure_faults(quality: FrameQuality, settings: SelectionSettings) -> list[str]:
    if quality.dark_share > settings.most_dark:
        return [f"{DARK}: {quality.dark_share:.0%} of the pixels are black"]
    if quality.bright_share > settings.most_bright:
        return [f"{BRIGHT}: {quality.bright_share:.0%} of the pixels are white"]
    return []


def _blur_faults(quality: FrameQuality, typical: float, settings: SelectionSettings) -> list[str]:
    if quality.sharpness < settings.least_sharpness:
        return [f"{BLURRED}: sharpness {quality.sharpness:.2f}"]
    if quality.sharpness < settings.least_relative_sharpness * typical:
        return [f"{BLURRED}: sharpness {quality.sharpness:.2f}, around it {typical:.2f}"]
    return []


def _typical_sharpness(
    stamps_ns: Sequence[int], qualities: Sequence[FrameQuality | None], reach_s: float
) -> list[float]:
    """Median sharpness around each frame, without the frame itself."""
    reach_ns = round(reach_s * NANOSECONDS_PER_SECOND)
    typical = []
    for index, stamp in enumerate(stamps_ns):
        window = range(
            bisect_left(stamps_ns, stamp - reach_ns), bisect_right(stamps_ns, stamp + reach_ns)
        )
        around = sorted(
            quality.sharpness
            for place in window
            if place != index and (quality := qualities[place]) is not None
        )
        typical.append(around[len(around) // 2] if around else 0.0)
    return typical
