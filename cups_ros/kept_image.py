"""Image messages whose memory is kept; the nodes publish their large results with them.

Assigning to `Image.data` copies the picture through `array.array`, 3 to 9 ms at 1 to 2 megapixels;
writing into a message that is kept costs a tenth of that. `publish` serialises before it returns,
so the memory is free again then.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

CHANNEL_TYPES = {
    "rgb8": np.uint8,
    "mono8": np.uint8,
    "16UC1": np.uint16,
    "32FC1": np.float32,
}


class KeptImage:
    """One image message of a fixed encoding that is filled again and again, by one thread."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._message = Image()
        self._pixels: NDArray[Any] = np.empty(0, CHANNEL_TYPES[encoding])

    def filled(self, header: Header, pixels: NDArray[Any]) -> Image:
        """The message with this header and these pixels, valid until the next call.

        Args:
            header: taken over as it is.
            pixels: (H, W) or (H, W, C) of the type that the encoding says.
        """
        if self._pixels.shape != pixels.shape:
            self._allocate(pixels.shape)
        np.copyto(self._pixels, pixels, casting="no")
        self._message.header = header
        return self._message

    def _allocate(self, shape: tuple[int, ...]) -> None:
        channel = np.dtype(CHANNEL_TYPES[self._encoding])
        size = int(np.prod(shape)) * channel.itemsize
        self._message = Image(
            height=shape[0],
            width=shape[1],
            encoding=self._encoding,
            is_bigendian=sys.byteorder == "big",
            step=size // shape[0],
            data=array("B", bytes(size)),
        )
        self._pixels = np.frombuffer(self._message.data, channel).reshape(shape)
