"""What a raw image says of itself, read from its first bytes without decoding it.

`drive_facts` looks at every image of a drive this way, to see whether they stay the same.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from cups_core.recording.recording import RecordedMessage, Serialization


class PictureHead(NamedTuple):
    """Size and encoding of an image."""

    width: int
    height: int
    encoding: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.encoding}"


def picture_head(message: RecordedMessage) -> PictureHead | None:
    """The head of a sensor_msgs/Image; None where the bytes are none."""
    raw = message.raw
    is_ros1 = message.serialization is Serialization.ROS1
    order = "<" if is_ros1 or raw[1] & 1 else ">"
    try:
        # Number (ROS 1) or kind of bytes (ROS 2), stamp, name of the frame, height, width.
        (length,) = struct.unpack_from(f"{order}I", raw, 12)
        position = 16 + length
        if not is_ros1:
            position += -position % 4
        height, width, length = struct.unpack_from(f"{order}III", raw, position)
        encoding = bytes(raw[position + 12 : position + 12 + length]).rstrip(b"\0").decode("ascii")
    except (struct.error, UnicodeDecodeError):
        return None
    return PictureHead(width, height, encoding) if length < len(raw) else None
