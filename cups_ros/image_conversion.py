"""Images of ROS messages, raw or compressed, as RGB arrays; the nodes call it on every frame.

`rgb8` comes out without a copy. Other encodings go through OpenCV; those not listed here are left
to `cv_bridge` where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cups_core.errors import InputError

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None

Pixels = NDArray[Any]
RgbImage = NDArray[np.uint8]

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG", b"IEND"


class _Encoding(NamedTuple):
    channels: int
    channel_type: str
    to_rgb: Callable[[Pixels], Pixels]


def _unchanged(image: Pixels) -> Pixels:
    return image


def _by_opencv(code: int) -> Callable[[Pixels], Pixels]:
    return lambda image: cv2.cvtColor(image, code)


def _by_high_byte(code: int) -> Callable[[Pixels], Pixels]:
    return lambda image: cv2.cvtColor((image >> 8).astype(np.uint8), code)


ENCODINGS = {
    "rgb8": _Encoding(3, "u1", _unchanged),
    "bgr8": _Encoding(3, "u1", _by_opencv(cv2.COLOR_BGR2RGB)),
    # OpenCV's own type, which says nothing of the order; OpenCV's order is BGR.
    "8UC3": _Encoding(3, "u1", _by_opencv(cv2.COLOR_BGR2RGB)),
    "rgba8": _Encoding(4, "u1", _by_opencv(cv2.COLOR_RGBA2RGB)),
    "bgra8": _Encoding(4, "u1", _by_opencv(cv2.COLOR_BGRA2RGB)),
    "mono8": _Encoding(1, "u1", _by_opencv(cv2.COLOR_GRAY2RGB)),
    "8UC1": _Encoding(1, "u1", _by_opencv(cv2.COLOR_GRAY2RGB)),
    "mono16": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_GRAY2RGB)),
    "16UC1": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_GRAY2RGB)),
    "yuv422": _Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_UYVY)),
    "uyvy": _Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_UYVY)),
    "yuv422_yuy2": _Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_YUY2)),
    "yuyv": _Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_YUY2)),
    "bayer_rggb8": _Encoding(1, "u1", _by_opencv(cv2.COLOR_BayerRGGB2RGB)),
    "bayer_bggr8": _Encoding(1, "u1", _by_opencv(cv2.COLOR_BayerBGGR2RGB)),
    "bayer_gbrg8": _Encoding(1, "u1", _by_opencv(cv2.COLOR_BayerGBRG2RGB)),
    "bayer_grbg8": _Encoding(1, "u1", _by_opencv(cv2.COLOR_BayerGRBG2RGB)),
    "bayer_rggb16": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_BayerRGGB2RGB)),
    "bayer_bggr16": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_BayerBGGR2RGB)),
    "bayer_gbrg16": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_BayerGBRG2RGB)),
    "bayer_grbg16": _Encoding(1, "u2", _by_high_byte(cv2.COLOR_BayerGRBG2RGB)),
}


def rgb_image(message: Image | CompressedImage, topic: str) -> RgbImage:
    """The picture of a message.

    Args:
        message: raw or compressed.
        topic: where it came from, for the error message.

    Returns:
        uint8 (H, W, 3), RGB; for `rgb8` a view of the message's own memory.

    Raises:
        InputError: the encoding is unknown, or the data do not fit the size or cannot be decoded.
    """
    if isinstance(message, CompressedImage):
        return _decoded(message, topic)
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        return _by_cv_bridge(message, topic)
    return encoding.to_rgb(_pixels(message, encoding, topic))


def _pixels(message: Image, encoding: _Encoding, topic: str) -> Pixels:
    """The pixels (H, W) or (H, W, C): a view of the message without the padding of its rows."""
    channel = np.dtype(("<", ">")[bool(message.is_bigendian)] + encoding.channel_type)
    height, width = message.height, message.width
    row = width * encoding.channels * channel.itemsize
    found = f"{width}x{height} {message.encoding}, step {message.step}, {len(message.data)} bytes"
    if height == 0 or width == 0:
        raise InputError(f"{topic}: the image is empty ({found}): check the camera driver")
    if message.step < row or message.step % channel.itemsize:
        raise InputError(
            f"{topic}: a row of {width} {message.encoding} pixels takes {row} bytes, the message "
            "says step "
            f"{message.step} ({found}): the publisher fills step or encoding wrongly"
        )
    if len(message.data) != height * message.step:
        raise InputError(
            f"{topic}: expected height x step = {height * message.step} bytes, found "
            f"{len(message.data)} ({found}): "
            "the image is truncated; check the publisher"
        )
    rows = np.frombuffer(message.data, channel).reshape(height, -1)
    pixels = rows[:, : width * encoding.channels]
    return pixels if encoding.channels == 1 else pixels.reshape(height, width, encoding.channels)


def _decoded(message: CompressedImage, topic: str) -> RgbImage:
    start, end = bytes(message.data[:4]), bytes(message.data[-64:]).rstrip(b"\0")
    found = f"{len(message.data)} bytes, format {message.format!r}"
    # Decoders fill what is missing with gray, so the end is looked for before.
    if (start.startswith(JPEG_START) and not end.endswith(JPEG_END)) or (
        start.startswith(PNG_START) and PNG_END not in end
    ):
        raise InputError(
            f"{topic}: the compressed image ends too early ({found}): check the publisher or the "
            "network"
        )
    image = (
        cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        if message.data
        else None
    )
    if image is None:
        raise InputError(
            f"{topic}: expected a JPEG or PNG picture, found something that cannot be decoded "
            f"({found}): "
            "check the publisher"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _by_cv_bridge(message: Image, topic: str) -> RgbImage:
    advice = f"known are {', '.join(ENCODINGS)}: set the camera driver to one of them"
    if CvBridge is None:
        raise InputError(
            f"{topic}: unknown encoding {message.encoding!r}; {advice}, or install cv_bridge"
        )
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    except CvBridgeError as error:
        raise InputError(
            f"{topic}: cv_bridge cannot convert {message.encoding!r} ({error}); {advice}"
        ) from error
