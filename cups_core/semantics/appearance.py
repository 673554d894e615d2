"""What a patch of a frame looks like and how it stands in the street, in numbers, without weights.

The weight-free code extractor whitens and weighs these features; nothing here is learned.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.semantics.scene_view import SURFACE_CHANNELS, SceneView

Features = NDArray[np.float32]

PARTS = {"colour": 6, "texture": 9, "height": 8, "normal": 3, "position": 3, "distance": 2}
"""Channels that each part has, in the order in which `describe` stacks them."""

_TEXTURE_LEVELS = 3
# An edge weaker than this, in levels of 255 per pixel, is noise.
_NOISE_LEVEL = 1.0
_CONTEXT_CELLS = 2.0
# Heights are compared by their logarithm: a curb differs from a road as a storey from two.
_CURB_M = 0.3
_HEIGHT_BINS = (-1.0, 0.0, 0.6, 1.2, 1.8, 2.4, 3.0, 3.6)
_HEIGHT_BIN_WIDTH = 0.5
_ROAD_ELEVATION, _ROOF_ELEVATION = (0.0, 0.08), (0.15, 0.1)
_USUAL_DISTANCE_M = 15.0
_KNOWN_SHARE = 0.2


def describe(view: SceneView, cell_px: int) -> Features:
    """Features of each cell of a view.

    Colour: CIE Lab of the cell and of its surroundings. Texture: strength of edges and how far they
    lie and rise, at three scales. Height above the road in soft bins of its logarithm. Normal: how
    far the surface lies, faces the camera, or stands along the road. Position: the ray's
    elevation. Distance: its logarithm, and whether it is unknown. Unknown geometry is zero
    in each bin, which is a feature too: the sky has none.

    Args:
        view: with its surface; its sides are multiples of the cell.
        cell_px: side of a cell, pixels.

    Returns:
        float32 (h, w, F), F the sum of `PARTS`.

    Raises:
        InputError: the view has no surface, or its sides are no multiples of the cell.
    """
    if view.surface is None:
        raise InputError(
            "view: weight-free features need its surface; make the view from a stereo frame and "
            "its disparity"
        )
    height, width = view.shape
    if height % cell_px or width % cell_px:
        raise InputError(
            f"view: expected sides that are multiples of {cell_px}, found {view.shape}"
        )
    size = (width // cell_px, height // cell_px)
    geometry = dict(zip(SURFACE_CHANNELS, cv2.split(view.surface), strict=True))
    up, facing = (_known_mean(geometry[name], size) for name in ("up", "facing"))
    parts = (
        _colour(view.image, size),
        _texture(view.image, size),
        _height_bins(_known_mean(geometry["height_m"], size)),
        np.nan_to_num(
            np.stack([up, facing, np.sqrt(np.maximum(0.0, 1.0 - up**2 - facing**2))], axis=-1)
        ),
        _position(_cell_mean(geometry["elevation"], size)),
        _distance(_known_mean(view.depth_m, size)),
    )
    return np.concatenate(parts, axis=-1).astype(np.float32, copy=False)


def _cell_mean(values: NDArray[np.generic], size: tuple[int, int]) -> Features:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _known_mean(values: Features, size: tuple[int, int]) -> Features:
    """Mean of a cell's known values; NaN where too few are known."""
    known = np.isfinite(values)
    share = _cell_mean(known.astype(np.float32), size)
    total = _cell_mean(np.where(known, values, np.float32(0.0)), size)
    enough = share > _KNOWN_SHARE
    return np.where(enough, total / np.where(enough, share, 1.0), np.nan).astype(np.float32)


def _colour(image: NDArray[np.generic], size: tuple[int, int]) -> Features:
    mean = _cell_mean(image, size) * np.float32(1 / 255)
    lab = cv2.cvtColor(mean, cv2.COLOR_RGB2Lab)
    return np.concatenate([lab, cv2.GaussianBlur(lab, (0, 0), _CONTEXT_CELLS)], axis=-1)


def _texture(image: NDArray[np.generic], size: tuple[int, int]) -> Features:
    level = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    channels = []
    for _ in range(_TEXTURE_LEVELS):
        level = cv2.GaussianBlur(level, (0, 0), 1.0)
        across = cv2.Sobel(level, cv2.CV_32F, 1, 0, scale=0.25)
        down = cv2.Sobel(level, cv2.CV_32F, 0, 1, scale=0.25)
        # cv2.magnitude rounds as the arrays happen to lie in memory: labels would not repeat.
        strength = np.sqrt(across * across + down * down)
        safe = strength + np.float32(1e-6)
        # The double angle: edges of both signs and directions of one line add up.
        double = ((across * across - down * down) / safe, 2.0 * across * down / safe)
        mean, lying, leaning = (
            cv2.GaussianBlur(_cell_mean(channel, size), (0, 0), 1.0)
            for channel in (strength, *double)
        )
        mean += np.float32(_NOISE_LEVEL)
        channels += [np.log(mean), lying / mean, np.abs(leaning) / mean]
        level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.stack(channels, axis=-1)


def _height_bins(height_m: Features) -> Features:
    scaled = np.sign(height_m) * np.log1p(np.abs(height_m) / _CURB_M)
    away = (scaled[..., None] - np.array(_HEIGHT_BINS, np.float32)) / _HEIGHT_BIN_WIDTH
    return np.nan_to_num(np.exp(-0.5 * away**2))


def _position(elevation: Features) -> Features:
    bends = [np.tanh((elevation - at) / width) for at, width in (_ROAD_ELEVATION, _ROOF_ELEVATION)]
    return np.stack([*bends, elevation], axis=-1)


def _distance(depth_m: Features) -> Features:
    logarithm = np.log(depth_m / np.float32(_USUAL_DISTANCE_M))
    return np.stack([np.nan_to_num(logarithm), np.isnan(depth_m).astype(np.float32)], axis=-1)
