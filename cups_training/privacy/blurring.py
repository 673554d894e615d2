"""Makes regions of a picture unreadable: what is left of them is a few blurred colors, or nothing.

The anonymizer calls it for every picture.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.settings import setting
from cups_training.privacy.regions import DETECTED, FACE, Region

Picture = NDArray[np.uint8]
Window = tuple[slice, slice]

# What a region is filled with when nothing is left around it.
GRAY = 128.0
PIXELS_PER_BLOCK = 8
# Of the mean color of a region: enough to look like a part of the picture.
TINT = 0.5


@dataclass(frozen=True)
class BlurSettings:
    """How regions are made unreadable; benchmark/privacy.py measures what others leave."""

    method: str = setting(
        "blur",
        "blur: brightness of a few blocks, changed at random and smoothed; fill: the mean color "
        "around the region, nothing of its inside is left",
        choices=("blur", "fill"),
    )
    blocks: int = setting(
        3, "blocks along the longer side of a region (blur)", minimum=1, maximum=16
    )
    noise: float = setting(
        40.0,
        "largest random change of a block's color, of 255 (blur)",
        minimum=0.0,
        maximum=255.0,
    )
    margin: float = setting(
        0.2,
        "share of a detection's size that is made unreadable on each side of it; zones have room",
        minimum=0.0,
        maximum=2.0,
    )
    feather: float = setting(
        0.1,
        "width of the soft edge around that, share of a region's smaller side",
        minimum=0.0,
        maximum=1.0,
    )


def blurred(picture: Picture, regions: Sequence[Region], settings: BlurSettings) -> Picture:
    """The picture with every region unreadable.

    Args:
        picture: uint8 (H, W, 3), RGB; stays as it is.
        regions: pixels; parts beyond the border are left out.
        settings: how.

    Returns:
        uint8 (H, W, 3), RGB; equal input gives equal bytes.
    """
    result = picture.copy()
    for region in regions:
        found = _soft_window(region, picture.shape, settings)
        if found is None:
            continue
        window, weights = found
        # Always from the original: a neighbour that was blurred before must not count.
        part = picture[window]
        is_fill = settings.method == "fill"
        replaced = _color_around(part, weights) if is_fill else _few_blocks(part, settings)
        mixed = weights[..., None] * replaced + (1 - weights[..., None]) * result[window]
        result[window] = np.rint(mixed).astype(np.uint8)
    return result


def unreadable(
    shape: tuple[int, ...], regions: Sequence[Region], settings: BlurSettings
) -> NDArray[np.bool_]:
    """Where nothing of the original picture is left.

    Args:
        shape: of the picture, (H, W, ...).
        regions: pixels.
        settings: how they are made unreadable.

    Returns:
        bool (H, W).
    """
    mask = np.zeros(shape[:2], np.bool_)
    for region in regions:
        found = _soft_window(region, shape, settings)
        if found is not None:
            mask[found[0]] |= found[1] >= 1
    return mask


def _soft_window(
    region: Region, shape: tuple[int, ...], settings: BlurSettings
) -> tuple[Window, NDArray[np.float32]] | None:
    """The window of a region with its soft edge, and how much of each pixel is replaced.

    1 in the widened region, an ellipse for a face; falls to 0 over the soft edge. None where the
    region lies outside of the picture.
    """
    core = region.widened(settings.margin) if region.kind in DETECTED else region
    edge = settings.feather * min(core.width, core.height)
    top, left = max(0, math.floor(core.y - edge)), max(0, math.floor(core.x - edge))
    bottom = min(shape[0], math.ceil(core.y + core.height + edge))
    right = min(shape[1], math.ceil(core.x + core.width + edge))
    if top >= bottom or left >= right:
        return None
    # A pixel belongs to the region with its nearest edge: a region of half a pixel hides one.
    half_height, half_width = core.height / 2, core.width / 2
    down = np.abs(np.arange(top, bottom) + 0.5 - core.y - half_height) - 0.5
    aside = np.abs(np.arange(left, right) + 0.5 - core.x - half_width) - 0.5
    if region.kind == FACE:
        distance = np.hypot(aside[None] / half_width, down[:, None] / half_height) - 1
        beyond = distance * min(half_width, half_height)
    else:
        beyond = np.maximum(aside[None] - half_width, down[:, None] - half_height)
    weights = (beyond <= 0) if edge == 0 else 1 - beyond.clip(0, edge) / edge
    return (slice(top, bottom), slice(left, right)), weights.astype(np.float32)


def _few_blocks(part: Picture, settings: BlurSettings) -> NDArray[np.float32]:
    """Brightness of a few blocks, changed at random, under a pale common color, and a Gaussian.

    Means alone tell plates and faces apart: whoever has a list of candidates makes the same blocks
    of each and compares (Hill et al., PETS 2016; McPherson et al., 2016). The noise is drawn from a
    hash of the original pixels, so equal pictures give equal bytes, and nobody who lacks those
    pixels with their sensor noise can draw it again.
    """
    height, width = part.shape[:2]
    block = max(height, width) / settings.blocks
    few = (max(1, round(width / block)), max(1, round(height / block)))
    colors = cv2.resize(part.astype(np.float32), few, interpolation=cv2.INTER_AREA)
    colors = colors.reshape(few[1], few[0], 3)
    brightness = colors.mean(axis=2, keepdims=True)
    drawn = hashlib.shake_256(part.tobytes()).digest(brightness.size)
    noise = np.frombuffer(drawn, np.uint8).reshape(brightness.shape) / np.float32(127.5) - 1
    tint = TINT * (colors - brightness).mean(axis=(0, 1))
    changed = np.clip(brightness + settings.noise * noise + tint, 0, 255).astype(np.float32)
    # The Gaussian at a few pixels per block: it looks the same, whatever the size of the region.
    grid = changed.repeat(PIXELS_PER_BLOCK, axis=0).repeat(PIXELS_PER_BLOCK, axis=1)
    smooth = cv2.GaussianBlur(grid, (0, 0), PIXELS_PER_BLOCK / 2)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR))


def _color_around(part: Picture, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    around = part[weights < 1]
    color = around.mean(axis=0) if len(around) else np.full(3, GRAY)
    return np.broadcast_to(color.astype(np.float32), part.shape)
