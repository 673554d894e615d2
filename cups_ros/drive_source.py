"""What a recorded stereo drive is to the player: serialised messages with their stamps.

`bag_drive` reads them from a bag, `image_folder_drive` makes them from pictures; `drive_player`
plays either.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from cups_core.errors import CupsError
from cups_core.frames import NANOSECONDS_PER_SECOND


class BagError(CupsError):
    """A recorded drive cannot be read, or not to its end."""


class Channel(enum.Enum):
    """The stereo topics that a drive is played on."""

    LEFT_IMAGE = "left/image_rect"
    RIGHT_IMAGE = "right/image_rect"
    LEFT_INFO = "left/camera_info"
    RIGHT_INFO = "right/camera_info"

    @property
    def is_image(self) -> bool:
        """Whether pictures travel on it."""
        return self in (Channel.LEFT_IMAGE, Channel.RIGHT_IMAGE)


class DriveMessage(NamedTuple):
    """One message as it is published: CDR, the stamp of its header in nanoseconds."""

    channel: Channel
    stamp_ns: int
    data: bytes


class Drive(Protocol):
    """A recorded drive that can be read again and again."""

    @property
    def is_compressed(self) -> bool:
        """Whether the images are CompressedImage messages."""
        ...

    @property
    def description(self) -> str:
        """What is played, for people."""
        ...

    def messages(self) -> Iterator[DriveMessage]:
        """All messages in the order of recording.

        Raises:
            BagError: the drive is damaged; what came before is good.
        """
        ...


def with_stamp(data: bytes, stamp_ns: int) -> bytes:
    """The same message, as ROS 2 sends it, with another stamp in the header it begins with."""
    stamped = bytearray(data)
    layout = "<iI" if data[1] & 1 else ">iI"
    struct.pack_into(layout, stamped, 4, *divmod(stamp_ns, NANOSECONDS_PER_SECOND))
    return bytes(stamped)
