"""Every knob of extraction with its meaning; `cups extract` and `cups import` take them.

What decides how pictures look is written beside each drive: a dataset holds drives of one
configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cups_core.errors import InputError
from cups_core.settings import setting


@dataclass(frozen=True)
class ExtractionSettings:
    """How recorded pairs become frames.

    Raises:
        InputError: a size or window is not written as it should be, or settings contradict.
    """

    keep: str = setting(
        "all",
        "all frames, or keyframes: only those of pairs that selection keeps, each with its next",
        choices=("all", "keyframes"),
    )
    measure: bool = setting(
        True,
        "measure sharpness, exposure and likeness of every frame; false lets compressed, rectified "
        "pictures pass without being decoded",
    )
    format: str = setting(
        "keep",
        "keep: compressed pictures that need no change stay bit for bit, others become PNG; png or "
        "webp: all become that, without loss (WebP: a few percent smaller, many times slower)",
        choices=("keep", "png", "webp"),
    )
    rectify: str = setting(
        "auto",
        "yes, no, or auto: where the topic's name does not say that the pictures are rectified",
        choices=("auto", "yes", "no"),
    )
    crop_invalid: bool = setting(
        False, "after rectification keep only the window that both cameras fill"
    )
    crop: str = setting("", "window of the rectified pictures, WIDTHxHEIGHT+LEFT+TOP in pixels")
    size: str = setting("", "WIDTHxHEIGHT that pictures are resized to, after the crop")
    significant_bits: int = setting(
        0, "bits that 16-bit pictures fill, from the lowest; 0 = found once per drive", maximum=16
    )
    tolerance_ms: float = setting(
        5.0,
        "largest difference between the stamps of left and right, milliseconds; 0 = equal ones",
        minimum=0.0,
        maximum=1000.0,
    )
    validate: str = setting(
        "refuse",
        "what happens to a drive whose pictures show that the rig is wrong: refuse, warn, or off",
        choices=("refuse", "warn", "off"),
    )

    def __post_init__(self) -> None:
        if self.keep == "keyframes" and not self.measure:
            raise InputError("keep=keyframes needs measure=true: keyframes are chosen by measures")
        _ = self.window, self.output_size

    @property
    def window(self) -> tuple[int, int, int, int] | None:
        """The crop as (left, top, width, height), None where there is none."""
        found = _numbers(self.crop, "crop", r"(\d+)x(\d+)\+(\d+)\+(\d+)", "640x480+10+20")
        return (found[2], found[3], found[0], found[1]) if found else None

    @property
    def output_size(self) -> tuple[int, int] | None:
        """The size as (width, height), None where it stays."""
        found = _numbers(self.size, "size", r"(\d+)x(\d+)", "640x480")
        return (found[0], found[1]) if found else None


def _numbers(word: str, name: str, pattern: str, example: str) -> tuple[int, ...]:
    if not word:
        return ()
    found = re.fullmatch(pattern, word)
    if found is None or not all(map(int, found.groups()[:2])):
        raise InputError(f"{name}: expected a form like {example}, found {word!r}")
    return tuple(map(int, found.groups()))
