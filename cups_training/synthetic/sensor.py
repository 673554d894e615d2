"""From light to pixels: motion blur, defocus, vignette, exposure, shot and read noise, gamma.

`drive` applies it to both rendered views; each camera of the rig has its own draw of the
imperfections.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from cups_training.synthetic.settings import DriveSettings

_FULL_WELL = 7000.0
_READ_NOISE = 0.0018
_GAMMA = 1.0 / 2.2
_MAX_TAPS = 15


@dataclass(frozen=True)
class Sensor:
    """One camera's imperfections.

    Attributes:
        gain: exposure factor.
        vignette: darkening at the corner, share.
        defocus_px: Gaussian sigma, pixels.
        noise: scale of shot and read noise.
        row_offset_px, roll_rad: errors of the rectification.
        delay_s: of the shutter.
    """

    gain: float = 1.0
    vignette: float = 0.0
    defocus_px: float = 0.0
    noise: float = 0.0
    row_offset_px: float = 0.0
    roll_rad: float = 0.0
    delay_s: float = 0.0


def sample_sensors(random: np.random.Generator, settings: DriveSettings) -> tuple[Sensor, Sensor]:
    """The left camera, which defines time and calibration, and the right one, which is off."""

    def signed(limit: float) -> float:
        return float(random.choice([-1.0, 1.0]) * random.uniform(0.4, 1.0) * limit)

    left = Sensor(
        vignette=settings.vignette * random.uniform(0.6, 1.0), noise=settings.sensor_noise
    )
    right = Sensor(
        gain=1.0 + signed(settings.gain_difference),
        vignette=settings.vignette * random.uniform(0.3, 1.0),
        defocus_px=settings.blur_difference_px * random.uniform(0.3, 1.0),
        noise=settings.sensor_noise,
        row_offset_px=signed(settings.rectification_error_px),
        roll_rad=math.radians(signed(settings.rectification_roll_deg)),
        delay_s=1e-3 * settings.time_skew_ms * random.uniform(0.2, 1.0),
    )
    return left, right


def expose(
    light: NDArray[np.float32],
    smear: NDArray[np.float32] | None,
    sensor: Sensor,
    random: np.random.Generator,
) -> NDArray[np.uint8]:
    """The camera's picture.

    Args:
        light: float32 (H, W, 3), linear RGB, 1 = saturation.
        smear: float32 (H, W, 2), way of each pixel's surface during the shutter time, pixels; None
            = no blur.
        sensor: the camera.
        random: draws the noise.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    # Light far above saturation must not outshine a whole blur kernel.
    picture = np.minimum(light, np.float32(1.6))
    if smear is not None:
        picture = _smeared(picture, smear)
    if sensor.defocus_px > 0.05:
        picture = cv2.GaussianBlur(
            picture, (0, 0), sensor.defocus_px, borderType=cv2.BORDER_REPLICATE
        )
    noise = (
        random.standard_normal(picture.shape, np.float32)
        if sensor.noise > 0
        else np.zeros((1, 1, 1), np.float32)
    )
    return np.asarray(
        _developed(picture, noise, sensor.gain, sensor.vignette, sensor.noise, _GAMMA_TABLE)
    )


@njit(cache=True, error_model="numpy")
def _smeared(picture: NDArray[np.float32], smear: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    out = picture.copy()
    for row in range(height):
        for column in range(width):
            vx, vy = smear[row, column, 0], smear[row, column, 1]
            # Written so that NaN counts as no motion.
            if not vx * vx + vy * vy > 0.25:
                continue
            taps = min(int(math.sqrt(vx * vx + vy * vy)) + 2, _MAX_TAPS)
            red = green = blue = 0.0
            for tap in range(taps):
                part = (tap + 0.5) / taps - 0.5
                x = min(max(round(column + part * vx), 0), width - 1)
                y = min(max(round(row + part * vy), 0), height - 1)
                red += picture[y, x, 0]
                green += picture[y, x, 1]
                blue += picture[y, x, 2]
            out[row, column, 0] = red / taps
            out[row, column, 1] = green / taps
            out[row, column, 2] = blue / taps
    return out


_STEPS = 8192
_GAMMA_TABLE = np.rint(255.0 * np.linspace(0.0, 1.0, _STEPS + 1) ** _GAMMA).astype(np.uint8)


@njit(cache=True, error_model="numpy")
def _developed(
    picture: NDArray[np.float32],
    noise: NDArray[np.float32],
    gain: float,
    vignette: float,
    noise_scale: float,
    table: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    out = np.empty((height, width, 3), np.uint8)
    cy, cx = 0.5 * (height - 1), 0.5 * (width - 1)
    scale = 1.0 / (cx * cx + cy * cy)
    for row in range(height):
        for column in range(width):
            away = ((row - cy) ** 2 + (column - cx) ** 2) * scale
            factor = gain * (1.0 - vignette * away)
            for channel in range(3):
                value = picture[row, column, channel] * factor
                if noise_scale > 0:
                    sigma = noise_scale * math.sqrt(
                        max(value, 0.0) / _FULL_WELL + _READ_NOISE * _READ_NOISE
                    )
                    value += sigma * noise[row, column, channel]
                out[row, column, channel] = table[int(min(max(value, 0.0), 1.0) * _STEPS + 0.5)]
    return out
