"""JPEG, PNG and other encoded pictures: whether they are whole, and their stored pixels.

Compressed camera messages and the files of image folders hold them.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG", b"IEND"
PNG_BIT_DEPTH = 24  # place of that byte in the file


def check_whole(data: NDArray[np.uint8], where: str) -> None:
    """Complain about a JPEG or PNG without its end, at no cost.

    Decoders fill what is missing with gray and say nothing.

    Args:
        data: the file, uint8 (N,).
        where: topic or file, for the error message.

    Raises:
        InputError: the end is missing.
    """
    start, end = data[:4].tobytes(), data[-64:].tobytes()
    if start.startswith(PNG_START):
        is_whole = PNG_END in end
    elif start.startswith(JPEG_START):
        # Some cameras fill their buffers up with zeros.
        filled = data.tobytes() if end.endswith(b"\0") else end
        is_whole = filled.rstrip(b"\0").endswith(JPEG_END)
    else:
        is_whole = True
    if not is_whole:
        raise InputError(
            f"{where}: the compressed image ends too early ({data.size} bytes): check the "
            "publisher, the network or the disk"
        )


def stored_pixels(data: NDArray[np.uint8], where: str) -> NDArray[Any]:
    """The pixels as they are stored, uint8 or uint16: gray (H, W), BGR or BGRA (H, W, C).

    Args:
        data: the file, uint8 (N,).
        where: topic or file, for the error message.

    Raises:
        InputError: it is cut or no picture.
    """
    check_whole(data, where)
    # Unchanged also means that an orientation tag does not turn the picture.
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{where}: expected a PNG or JPEG picture, found {data.size} bytes that cannot be "
            "decoded: check the publisher or the disk"
        )
    return np.asarray(pixels)


def has_16_bits(data: NDArray[np.uint8]) -> bool:
    """Whether the file is a PNG of 16 bits a sample."""
    return data[:4].tobytes() == PNG_START and data[PNG_BIT_DEPTH : PNG_BIT_DEPTH + 1] == 16


def picture_size(data: NDArray[np.uint8], where: str) -> tuple[int, int]:
    """(width, height) of the picture, pixels; of a PNG without decoding it.

    Raises:
        InputError: it is cut or no picture.
    """
    if data[:4].tobytes() == PNG_START and data.size > PNG_BIT_DEPTH:
        width, height = (int(number) for number in data[16:24].view(">u4"))
        return width, height
    height, width = stored_pixels(data, where).shape[:2]
    return width, height
