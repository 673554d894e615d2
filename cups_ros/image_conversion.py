"""Images of ROS messages, raw or compressed, as RGB arrays; the nodes call it on every frame.

`rgb8` comes out without a copy. Encodings that `cups_core.image_decoding` does not know are left
to `cv_bridge` where it is installed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cups_core.errors import InputError
from cups_core.image_decoding import (
    FULL_BITS,
    KNOWN_ENCODINGS,
    as_rgb,
    decode_compressed,
    decode_raw,
)

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None


def rgb_image(
    message: Image | CompressedImage, topic: str, significant_bits: int = FULL_BITS
) -> NDArray[np.uint8]:
    """The picture of a message.

    Args:
        message: raw or compressed.
        topic: where it came from, for the error message.
        significant_bits: how many of 16 bits the camera fills, counted from the lowest.

    Returns:
        uint8 (H, W, 3), RGB; for `rgb8` a view of the message's own memory.

    Raises:
        InputError: the encoding is unknown, or the data do not fit the size or cannot be decoded.
    """
    if isinstance(message, CompressedImage):
        return as_rgb(decode_compressed(message, topic, significant_bits))
    if CvBridge is None or message.encoding in KNOWN_ENCODINGS:
        return as_rgb(decode_raw(message, topic, significant_bits))
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"))
    except CvBridgeError as error:
        raise InputError(
            f"{topic}: cv_bridge cannot convert {message.encoding!r} ({error}); known are "
            f"{', '.join(KNOWN_ENCODINGS)}: set the camera driver to one of them"
        ) from error
