"""What a recording consists of: topics, messages as they were stored, damages, files.

The readers of each file format make them; `recording.Recording` hands them to `cups inspect`,
`cups extract` and the player.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cups_core.errors import InputError
from cups_core.frames import NANOSECONDS_PER_SECOND


class Serialization(enum.Enum):
    """How the bytes of a message are laid out."""

    CDR = "cdr"
    ROS1 = "ros1"
    OTHER = "other"
    """JSON, Protobuf and the like: the bytes are handed on, nothing here reads them."""


class RecordedMessage(NamedTuple):
    """One message as it was stored.

    Attributes:
        topic: its name.
        type_name: as ROS 2 writes it ("sensor_msgs/msg/Image"), also in bags of ROS 1.
        recorded_ns: when the recorder got it; the stamp in the header is earlier.
        raw: the bytes; a view into a larger buffer where that saves a copy.
        serialization: what the bytes are.
    """

    topic: str
    type_name: str
    recorded_ns: int
    raw: bytes | memoryview
    serialization: Serialization = Serialization.CDR

    @property
    def stamp_ns(self) -> int:
        """Stamp of the header that the message begins with, nanoseconds.

        Raises:
            InputError: the message holds none that can be read.
        """
        raw = self.raw
        if len(raw) < 12 or self.serialization is Serialization.OTHER:
            raise InputError(
                f"{self.topic}: expected a {self.type_name} that begins with a header, found "
                f"{len(raw)} bytes ({self.serialization.value}): the message cannot be used"
            )
        if self.serialization is Serialization.ROS1:
            # The number of the message stands before its stamp.
            seconds, nanoseconds = struct.unpack_from("<II", raw, 4)
            return int(seconds) * NANOSECONDS_PER_SECOND + int(nanoseconds)
        return header_stamp_ns(raw)


def header_stamp_ns(raw: bytes | memoryview) -> int:
    """Stamp of the header that a message begins with, as ROS 2 sends it, nanoseconds.

    Raises:
        InputError: the message is too short to hold one.
    """
    if len(raw) < 12:
        raise InputError(
            f"expected a message with a header, found {len(raw)} bytes: the message cannot be used"
        )
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return int(seconds) * NANOSECONDS_PER_SECOND + int(nanoseconds)


@dataclass(frozen=True)
class Topic:
    """A topic of a recording.

    Attributes:
        name: as recorded.
        type_name: as ROS 2 writes it.
        count: number of messages, None where the files do not say.
        reliability: what the publishers offered ("reliable", "best_effort"), None where unknown.
    """

    name: str
    type_name: str
    count: int | None
    reliability: str | None = None


class Definition(NamedTuple):
    """The text that defines a message type, as a bag carries it."""

    text: str
    is_idl: bool


@dataclass(frozen=True)
class Damage:
    """A part of a recording that cannot be read.

    Attributes:
        file: where.
        what: what was found, one clause.
        messages_lost: how many, of all topics; None where that cannot be known.
        advice: what to do.
    """

    file: Path
    what: str
    messages_lost: int | None
    advice: str

    def __str__(self) -> str:
        lost = "" if self.messages_lost is None else f" ({self.messages_lost} messages lost)"
        return f"{self.file}: {self.what}{lost}: {self.advice}"


@dataclass(frozen=True)
class Wanted:
    """Which messages are to be read.

    Attributes:
        topics: their names.
        start_ns: none that was recorded earlier.
        end_ns: none that was recorded later.
        beginnings: whether the first `BEGINNING` bytes of a message are enough, which spares
            reading pictures where the file allows it; checksums are not verified then.
    """

    topics: Collection[str]
    start_ns: int = 0
    end_ns: int = 2**63 - 1
    beginnings: bool = False

    def overlaps(self, start_ns: int, end_ns: int) -> bool:
        """Whether there may be something between these times."""
        return start_ns <= self.end_ns and end_ns >= self.start_ns


BEGINNING = 256
"""As many bytes of a message hold its header and what an image says of itself."""

Tell = Callable[[Damage], None]
"""Where the readers report what they cannot read."""


@dataclass(frozen=True)
class SourceFile:
    """A file that belongs to a recording, with its size in bytes."""

    path: Path
    size: int
