"""Pictures of camera messages, raw or compressed, as arrays: colour as RGB, gray as it is.

The nodes decode every frame with it and `cups extract` every recorded one. A message is anything
with the field names of sensor_msgs (rclpy's, rosbags'), so no ROS is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.picture_files import has_16_bits, stored_pixels

Pixels = NDArray[Any]
Picture = NDArray[np.uint8]

FULL_BITS = 16
# What cameras deliver in 16 bits. Fewer than 10 are not guessed: a dark start would look the same.
SAMPLE_BITS = (10, 12, 14, FULL_BITS)
VIDEO_FORMATS = ("h264", "h265", "hevc", "av1", "vp8", "vp9", "ffmpeg")
# ITU-R BT.601 in video range, as OpenCV converts the other YUV encodings.
RGB_FROM_YUV = np.array(
    [[1.164, 0.0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0.0]], np.float64
)
RGB_OFFSET = -RGB_FROM_YUV @ (16.0, 128.0, 128.0)


class Encoding(NamedTuple):
    """Interleaved pixels: channels, type of one, and their way to RGB or gray in 8 bits."""

    channels: int
    channel_type: str
    to_picture: Callable[[Pixels], Pixels]
    even_columns: bool = False


class PlanarEncoding(NamedTuple):
    """A luminance plane and chrominance after it: bytes of a pixel as a fraction, and the way."""

    bytes_of_two_pixels: int
    to_picture: Callable[[Pixels], Pixels]


def _unchanged(image: Pixels) -> Pixels:
    return image


def _by_opencv(code: int) -> Callable[[Pixels], Pixels]:
    return lambda image: cv2.cvtColor(image, code)


def _nv24_to_rgb(planes: Pixels) -> Pixels:
    """From (3 H, W): H rows of Y, then 2 H rows of U and V in turn."""
    height, width = len(planes) // 3, planes.shape[1]
    yuv = np.dstack([planes[:height], planes[height:].reshape(height, width, 2)])
    return np.asarray(cv2.transform(yuv, np.column_stack([RGB_FROM_YUV, RGB_OFFSET])))


BAYER_CODES = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
}
ENCODINGS = {
    "rgb8": Encoding(3, "u1", _unchanged),
    "bgr8": Encoding(3, "u1", _by_opencv(cv2.COLOR_BGR2RGB)),
    "rgba8": Encoding(4, "u1", _by_opencv(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, "u1", _by_opencv(cv2.COLOR_BGRA2RGB)),
    "rgb16": Encoding(3, "u2", _unchanged),
    "bgr16": Encoding(3, "u2", _by_opencv(cv2.COLOR_BGR2RGB)),
    "rgba16": Encoding(4, "u2", _by_opencv(cv2.COLOR_RGBA2RGB)),
    "bgra16": Encoding(4, "u2", _by_opencv(cv2.COLOR_BGRA2RGB)),
    "mono8": Encoding(1, "u1", _unchanged),
    "mono16": Encoding(1, "u2", _unchanged),
    # OpenCV's own types, which say nothing of the order; OpenCV's order is BGR.
    "8UC1": Encoding(1, "u1", _unchanged),
    "8UC3": Encoding(3, "u1", _by_opencv(cv2.COLOR_BGR2RGB)),
    "8UC4": Encoding(4, "u1", _by_opencv(cv2.COLOR_BGRA2RGB)),
    "16UC1": Encoding(1, "u2", _unchanged),
    "16UC3": Encoding(3, "u2", _by_opencv(cv2.COLOR_BGR2RGB)),
    "16UC4": Encoding(4, "u2", _by_opencv(cv2.COLOR_BGRA2RGB)),
    "yuv422": Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_UYVY), True),
    "uyvy": Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_UYVY), True),
    "yuv422_yuy2": Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_YUY2), True),
    "yuyv": Encoding(2, "u1", _by_opencv(cv2.COLOR_YUV2RGB_YUY2), True),
    **{
        f"bayer_{pattern}{bits}": Encoding(1, channel, _by_opencv(code))
        for pattern, code in BAYER_CODES.items()
        for bits, channel in ((8, "u1"), (16, "u2"))
    },
}
PLANAR_ENCODINGS = {
    "nv12": PlanarEncoding(3, _by_opencv(cv2.COLOR_YUV2RGB_NV12)),
    "nv21": PlanarEncoding(3, _by_opencv(cv2.COLOR_YUV2RGB_NV21)),
    "i420": PlanarEncoding(3, _by_opencv(cv2.COLOR_YUV2RGB_I420)),
    "nv24": PlanarEncoding(6, _nv24_to_rgb),
}
KNOWN_ENCODINGS = (*ENCODINGS, *PLANAR_ENCODINGS)


def decode_raw(message: Any, topic: str, significant_bits: int = FULL_BITS) -> Picture:
    """The picture of an Image message.

    Args:
        message: with height, width, encoding, is_bigendian, step and data.
        topic: where it came from, for the error message.
        significant_bits: how many of 16 bits the camera fills, counted from the lowest;
            `SignificantBits` finds it.

    Returns:
        uint8 (H, W, 3) RGB, or (H, W) of a gray camera; for `rgb8` and `mono8` a view of the
        message's own memory.

    Raises:
        InputError: the encoding is unknown, or the data do not fit the size.
    """
    planar = PLANAR_ENCODINGS.get(message.encoding)
    if planar is not None:
        return np.asarray(planar.to_picture(_planes(message, planar, topic)))
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise InputError(
            f"{topic}: unknown encoding {message.encoding!r}; known are "
            f"{', '.join(KNOWN_ENCODINGS)}: set the camera driver to one of them"
        )
    pixels = _in_8_bits(_pixels(message, encoding, topic), significant_bits)
    return np.asarray(encoding.to_picture(pixels))


def decode_compressed(message: Any, topic: str, significant_bits: int = FULL_BITS) -> Picture:
    """The picture of a CompressedImage message: JPEG, PNG or whatever else OpenCV reads.

    Args:
        message: with format and data; a format such as "bayer_rggb8; png compressed" says what
            was compressed.
        topic: where it came from, for the error message.
        significant_bits: as `decode_raw` has it.

    Returns:
        uint8 (H, W, 3) RGB, or (H, W) of a gray camera.

    Raises:
        InputError: it is depth or video, ends too early or cannot be decoded.
    """
    image = _in_8_bits(_uncompressed(message, topic), significant_bits)
    source, _, target = message.format.lower().partition(";")
    if image.ndim == 2:
        pattern = source.strip().removeprefix("bayer_")[:4]
        is_mosaic = source.startswith("bayer_") and pattern in BAYER_CODES
        return np.asarray(cv2.cvtColor(image, BAYER_CODES[pattern]) if is_mosaic else image)
    if image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGB))
    # Publishers before ROS Hydro wrote red where a decoder expects blue, and said so.
    if "compressed rgb" in target:
        return np.asarray(image)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def as_rgb(picture: Picture) -> Picture:
    """The picture with three channels: gray becomes three equal ones."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)) if picture.ndim == 2 else picture


class SignificantBits:
    """How many of 16 bits the cameras of one drive fill, counted from the lowest.

    A 12-bit sensor in 16 bits is almost black when its high byte is taken. The number is given,
    or it is the smallest usual one that holds every sample seen: look at the first pictures of
    both cameras, then decode the whole drive with `value`.

    Attributes:
        value: 16 as long as no 16-bit picture was seen.
    """

    def __init__(self, given: int = 0) -> None:
        """Take the number that is given, or 0 to find it.

        Raises:
            InputError: the number is neither 0 nor from 8 to 16.
        """
        if given and not 8 <= given <= FULL_BITS:
            raise InputError(f"significant bits: expected 0 (find them) or 8 to 16, found {given}")
        self._is_given = bool(given)
        self._largest: int | None = None
        self.value = given or FULL_BITS

    def look(self, message: Any, topic: str) -> None:
        """Take a raw or compressed message into account; pictures of 8 bits cost nothing.

        Raises:
            InputError: the message cannot be decoded.
        """
        if self._is_given or not _has_16_bits(message):
            return
        if hasattr(message, "format"):
            samples = _uncompressed(message, topic)
        else:
            samples = _pixels(message, ENCODINGS[message.encoding], topic)
        self._largest = max(self._largest or 0, int(samples.max()))
        self.value = next(bits for bits in SAMPLE_BITS if self._largest < 1 << bits)


def _has_16_bits(message: Any) -> bool:
    if hasattr(message, "format"):
        return has_16_bits(np.frombuffer(message.data, np.uint8))
    encoding = ENCODINGS.get(message.encoding)
    return encoding is not None and encoding.channel_type == "u2"


def _in_8_bits(pixels: Pixels, significant_bits: int) -> Pixels:
    if pixels.dtype.itemsize == 1:
        return pixels
    native = pixels.astype(np.uint16, copy=False)
    # Rounds and saturates.
    return np.asarray(cv2.convertScaleAbs(native, alpha=2.0 ** (8 - significant_bits)))


def _pixels(message: Any, encoding: Encoding, topic: str) -> Pixels:
    """The pixels (H, W) or (H, W, C): a view of the message without the padding of its rows."""
    channel = np.dtype(("<", ">")[bool(message.is_bigendian)] + encoding.channel_type)
    height, width = message.height, message.width
    row = width * encoding.channels * channel.itemsize
    found = _described(message)
    _check_size(message, topic, even_columns=encoding.even_columns, even_rows=False)
    if message.step < row or message.step % channel.itemsize:
        raise InputError(
            f"{topic}: a row of {width} {message.encoding} pixels takes {row} bytes, the message "
            f"says step {message.step} ({found}): the publisher fills step or encoding wrongly"
        )
    if len(message.data) != height * message.step:
        raise InputError(
            f"{topic}: expected height x step = {height * message.step} bytes, found "
            f"{len(message.data)} ({found}): the image is truncated; check the publisher"
        )
    rows = np.frombuffer(message.data, channel).reshape(height, -1)
    pixels = rows[:, : width * encoding.channels]
    return pixels if encoding.channels == 1 else pixels.reshape(height, width, encoding.channels)


def _planes(message: Any, encoding: PlanarEncoding, topic: str) -> Pixels:
    """All planes below each other as OpenCV expects them: (rows, W)."""
    is_halved = encoding.bytes_of_two_pixels == 3
    _check_size(message, topic, even_columns=is_halved, even_rows=is_halved)
    rows = message.height * encoding.bytes_of_two_pixels // 2
    if len(message.data) != rows * message.width:
        raise InputError(
            f"{topic}: expected {rows} rows of {message.width} bytes = {rows * message.width}, "
            f"found {len(message.data)} bytes ({_described(message)}): the image is truncated or "
            "its rows are padded; check the publisher"
        )
    return np.frombuffer(message.data, np.uint8).reshape(rows, message.width)


def _check_size(message: Any, topic: str, *, even_columns: bool, even_rows: bool) -> None:
    if message.height == 0 or message.width == 0:
        raise InputError(
            f"{topic}: the image is empty ({_described(message)}): check the camera driver"
        )
    if (even_columns and message.width % 2) or (even_rows and message.height % 2):
        raise InputError(
            f"{topic}: {message.encoding} shares its colour between neighbours, so the size must "
            f"be even ({_described(message)}): the publisher fills size or encoding wrongly"
        )


def _described(message: Any) -> str:
    return (
        f"{message.width}x{message.height} {message.encoding}, step {message.step}, "
        f"{len(message.data)} bytes"
    )


def _uncompressed(message: Any, topic: str) -> Pixels:
    """The stored pixels: gray (H, W), BGR or BGRA, 8 or 16 bits."""
    form = message.format.lower()
    found = f"{len(message.data)} bytes, format {message.format!r}"
    if "compresseddepth" in form:
        raise InputError(
            f"{topic}: expected a picture, found a depth image ({found}): choose the topic of the "
            "camera's pictures"
        )
    if any(video in form for video in VIDEO_FORMATS):
        raise InputError(
            f"{topic}: expected a picture, found a piece of video ({found}): record the camera as "
            "JPEG or PNG, or raw"
        )
    return stored_pixels(np.frombuffer(message.data, np.uint8), topic)
