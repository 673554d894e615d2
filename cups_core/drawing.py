"""Pictures for people: moving objects over the camera image, disparity and flow as colors.

The vehicle node publishes the overlay, reports and benchmarks show all; ids keep their color.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.segments import MotionSegments, MovingObject

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

FILL = 0.45
UNKNOWN = np.array([40, 40, 44], np.uint8)
WHITE: Color = (255, 255, 255)
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
FONT = cv2.FONT_HERSHEY_DUPLEX


def color_of(identity: int) -> Color:
    """The color (red, green, blue) of an id; consecutive ids lie far apart on the circle.

    Hues step by the golden angle, lightness alternates between three levels of OKLab (Ottosson
    2020): no two of the first dozens look alike and none is too dark for a street scene.
    """
    hue = GOLDEN_ANGLE * identity
    lightness = (0.78, 0.68, 0.86)[identity % 3]
    a, b = 0.16 * np.cos(hue), 0.16 * np.sin(hue)
    cones = np.array(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = (
        np.array(
            [
                [4.0767416621, -3.3077115913, 0.2309699292],
                [-1.2684380046, 2.6097574011, -0.3413193965],
                [-0.0041960863, -0.7034186147, 1.7076147010],
            ]
        )
        @ cones**3
    ).clip(0, 1)
    encoded = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    red, green, blue = (round(255 * float(channel)) for channel in encoded)
    return red, green, blue


def overlay_segments(image: Image, segments: MotionSegments) -> Image:
    """The image with every moving object filled, outlined and named by id and speed.

    Args:
        image: uint8 (H, W, 3), RGB; stays as it is.
        segments: the objects of this image.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: image and instance map differ in size.
    """
    if image.shape != (*segments.instances.shape, 3):
        raise InputError(
            f"overlay: expected an image of {(*segments.instances.shape, 3)} as the instance map "
            f"says, found {image.shape}"
        )
    picture: Image = image.copy()
    unit = max(1.0, image.shape[0] / 480)
    for item in segments.objects:
        _fill(picture, segments.instances, item, unit)
    # Names last, so that no fill lies over one, and the largest object's on top.
    for item in sorted(segments.objects, key=lambda found: found.area_px):
        _name(picture, item, unit)
    return picture


def _fill(picture: Image, instances: NDArray[np.uint16], item: MovingObject, unit: float) -> None:
    left, top, width, height = item.box
    window = (slice(top, top + height), slice(left, left + width))
    mask = (instances[window] == item.id).astype(np.uint8)
    color = color_of(item.id)
    part = picture[window]
    tinted = cv2.addWeighted(part, 1 - FILL, np.full_like(part, color), FILL, 0)
    cv2.copyTo(tinted, mask, part)
    outlines, _ = cv2.findContours(
        mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
    )
    cv2.drawContours(picture, outlines, -1, color, max(1, round(1.5 * unit)), cv2.LINE_AA)


def _name(picture: Image, item: MovingObject, unit: float) -> None:
    speed = item.speed_mps
    text = f"{item.id}" if np.isnan(speed) else f"{item.id}  {speed:.1f} m/s"
    write_name(picture, text, color_of(item.id), item.box[:2], unit)


def write_name(
    picture: Image, text: str, color: Color, corner: tuple[int, int], unit: float
) -> None:
    """Write words above a place where there is room, always inside the picture.

    Args:
        picture: uint8 (H, W, 3), RGB, drawn upon.
        text: what is written.
        color: of the bar before the words.
        corner: left and top of what is named, pixels.
        unit: size of the writing, 1 for a picture of 480 rows.
    """
    scale, pad = 0.42 * unit, round(4 * unit)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, 1)
    left, top = corner
    x = int(np.clip(left, 0, max(0, picture.shape[1] - width - 3 * pad)))
    y = int(np.clip(top - height - 2 * pad, 0, max(0, picture.shape[0] - height - 2 * pad)))
    plate = picture[y : y + height + 2 * pad, x : x + width + 3 * pad]
    plate[:] = plate // 4
    plate[:, :pad] = color
    cv2.putText(picture, text, (x + 2 * pad, y + pad + height), FONT, scale, WHITE, 1, cv2.LINE_AA)


def color_disparity(disparity: NDArray[np.floating], largest_px: float | None = None) -> Image:
    """Disparity as colors from far (blue) to near (red); dark grey where it is unknown.

    Args:
        disparity: (H, W), pixels; 0 or NaN = unknown.
        largest_px: what counts as near; None = the 99th percentile of this map.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    known = disparity > 0
    if largest_px is None:
        largest_px = float(np.percentile(disparity[known], 99)) if known.any() else 1.0
    share = np.where(known, disparity, 0) * (255 / largest_px)
    colors = cv2.applyColorMap(share.clip(0, 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    picture: Image = np.where(known[..., None], colors[..., ::-1], UNKNOWN)
    return picture


def color_flow(flow: NDArray[np.floating], largest_px: float | None = None) -> Image:
    """Optical flow as colors: direction as hue, length as saturation, white where nothing moves.

    Args:
        flow: (H, W, 2), pixels, x right and y down; NaN = unknown, drawn dark grey.
        largest_px: the length of full saturation; None = the 99th percentile of this map.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    known = np.isfinite(flow).all(axis=-1)
    filled = np.where(known[..., None], flow, 0).astype(np.float32)
    length, angle = cv2.cartToPolar(filled[..., 0], filled[..., 1], angleInDegrees=True)
    if largest_px is None:
        largest_px = max(1.0, float(np.percentile(length[known], 99))) if known.any() else 1.0
    hsv = np.stack([angle, np.minimum(length / largest_px, 1), np.ones_like(length)], axis=-1)
    colors = np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)
    picture: Image = np.where(known[..., None], colors, UNKNOWN)
    return picture
