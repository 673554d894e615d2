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

NANOSECONDS_PER_SECOND = 1_000_000_000


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


def header_stamp_ns(data: bytes) -> int:
    """Stamp of a serialised message that begins with a header, behind the byte order mark.

    Raises:
        BagError: the message is too short to hold one.
    """
    if len(data) < 12:
        raise BagError(
            f"expected a message with a header, found {len(data)} bytes: the bag is damaged"
        )
    seconds, nanoseconds = struct.unpack_from(_stamp_format(data), data, 4)
    return int(seconds) * NANOSECONDS_PER_SECOND + int(nanoseconds)


def with_stamp(data: bytes, stamp_ns: int) -> bytes:
    """The same message with another stamp."""
    stamped = bytearray(data)
    struct.pack_into(_stamp_format(data), stamped, 4, *divmod(stamp_ns, NANOSECONDS_PER_SECOND))
    return bytes(stamped)


def _stamp_format(data: bytes) -> str:
    return "<iI" if data[1] & 1 else ">iI"
