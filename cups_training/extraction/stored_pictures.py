"""Picture files: what a recorded one holds, told from its header, and how new ones are written.

Extraction lets files pass that need no change, and encodes all other pictures without loss.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_training.png import SIGNATURE, encode_png

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG_END = b"IEND\xaeB`\x82"
PNG_COLORS = {0: 1, 2: 3}
"""Channels by color type; palettes and transparency are not let through."""
# The markers of a frame's size are C0 to CF, but for tables of codes (C4, CC) and C8.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
WEBP_LOSSLESS = 101
"""A quality above 100 makes OpenCV write WebP without loss."""


class PictureFile(NamedTuple):
    """A whole file of 8-bit gray or color pixels that a dataset may hold as it is."""

    suffix: str
    width: int
    height: int


def recognized(data: bytes) -> PictureFile | None:
    """What the file holds; None for anything that must be decoded to be judged, or is cut off."""
    if data.startswith(SIGNATURE):
        return _png(data)
    if data.startswith(JPEG_START):
        return _jpeg(data)
    return None


def _png(data: bytes) -> PictureFile | None:
    # Some publishers pad messages with zeros.
    if len(data) < 33 or not data[-64:].rstrip(b"\0").endswith(PNG_END):
        return None
    width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
    return PictureFile(".png", width, height) if bits == 8 and color in PNG_COLORS else None


def _jpeg(data: bytes) -> PictureFile | None:
    if not data[-64:].rstrip(b"\0").endswith(JPEG_END):
        return None
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in JPEG_FRAMES:
            bits, height, width, components = struct.unpack_from(">BHHB", data, place + 4)
            fits = bits == 8 and components in (1, 3)
            return PictureFile(".jpg", width, height) if fits else None
        place += 2 + length
    return None


def encoded(picture: NDArray[np.uint8], form: str) -> tuple[bytes, str]:
    """The file of a picture, uint8 (H, W) or RGB (H, W, 3), and its suffix; nothing is lost.

    Args:
        picture: the pixels.
        form: "webp"; anything else is PNG.
    """
    if form != "webp":
        return encode_png(picture), ".png"
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    _, data = cv2.imencode(".webp", stored, [cv2.IMWRITE_WEBP_QUALITY, WEBP_LOSSLESS])
    return data.tobytes(), ".webp"
