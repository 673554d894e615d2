"""Makes regions of a picture unreadable: what is left of them is a few blocks of color, or none.

The anonymizer calls it for every picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.settings import setting
from cups_training.privacy.regions import FACE, Region

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class BlurSettings:
    """How regions are made unreadable."""

    method: str = setting(
        "blur",
        "blur: the means of a few blocks, smoothed; fill: one color taken from around the region, "
        "nothing of its inside is left",
        choices=("blur", "fill"),
    )
    blocks: int = setting(
        4, "blocks along the longer side of a region (blur)", minimum=1, maximum=16
    )
    margin: float = setting(
        0.2, "share of a region's size added on each side", minimum=0.0, maximum=2.0
    )


def blurred(picture: Picture, regions: Sequence[Region], settings: BlurSettings) -> Picture:
    """The picture with every region unreadable, edges feathered outside of the region.

    Args:
        picture: uint8 (H, W, 3), RGB; stays as it is.
        regions: pixels; parts beyond the border are left out.
        settings: how.

    Returns:
        uint8 (H, W, 3), RGB; equal input gives equal bytes.
    """
    result = picture.copy()
    for region in regions:
        window = _window(region.widened(settings.margin), picture.shape)
        if window is None:
            continue
        # Always from the original: a region's neighbour must not decide what is left of it.
        part = picture[window]
        replaced = _replaced(part, settings)
        weight = _weight(region, window, settings)[..., None]
        mixed = weight * replaced + (1 - weight) * result[window]
        result[window] = np.rint(mixed).astype(np.uint8)
    return result


def _window(region: Region, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns that a region touches; None where it lies outside of the picture."""
    top, left = max(0, math.floor(region.y)), max(0, math.floor(region.x))
    bottom = min(shape[0], math.ceil(region.y + region.height))
    right = min(shape[1], math.ceil(region.x + region.width))
    if top >= bottom or left >= right:
        return None
    return slice(top, bottom), slice(left, right)


def _replaced(part: Picture, settings: BlurSettings) -> NDArray[np.float32]:
    height, width = part.shape[:2]
    block = max(height, width) / settings.blocks
    few = (max(1, round(width / block)), max(1, round(height / block)))
    means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    pixelated = cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST)
    smooth = cv2.GaussianBlur(pixelated.astype(np.float32), (0, 0), max(block / 2, 0.5))
    return np.asarray(smooth, np.float32)


def _weight(
    region: Region, window: tuple[slice, slice], settings: BlurSettings
) -> NDArray[np.float32]:
    """1 inside the region, falling to 0 where the margin ends; an ellipse for faces."""
    rows = np.arange(window[0].start, window[0].stop) + 0.5
    columns = np.arange(window[1].start, window[1].stop) + 0.5
    down = np.abs(rows - region.y - region.height / 2) / (region.height / 2)
    aside = np.abs(columns - region.x - region.width / 2) / (region.width / 2)
    if region.kind == FACE:
        distance = np.hypot(aside[None, :], down[:, None])
    else:
        distance = np.maximum(aside[None, :], down[:, None])
    if settings.margin == 0:
        return (distance <= 1).astype(np.float32)
    return np.clip(1 - (distance - 1) / (2 * settings.margin), 0, 1).astype(np.float32)
