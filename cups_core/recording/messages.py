"""What a recording consists of: topics, messages as they were stored, damages, files.

The readers of each file format make them; `recording.Recording` hands them to `cups inspect`,
`cups extract` and the player.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cups_core.errors import InputError
from cups_core.frames import NANOSECONDS_PER_SECOND


class Serialization(enum.Enum):
    """How the bytes of a message are laid out."""

    CDR = "cdr"
    ROS1 = "ros1"


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
            InputError: the message is too short to hold one.
        """
        raw = self.raw
        if len(raw) < 12:
            raise InputError(
                f"{self.topic}: expected a message that begins with a header, found {len(raw)} "
                "bytes: the message is damaged"
            )
        if self.serialization is Serialization.ROS1:
            # A number of the message stands before the stamp.
            seconds, nanoseconds = struct.unpack_from("<II", raw, 4)
        else:
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


@dataclass(frozen=True)
class Damage:
    """A part of a recording that cannot be read.

    Attributes:
        file: where.
        what: what was found, one clause.
        messages_lost: how many, None where that cannot be known.
        advice: what to do.
    """

    file: Path
    what: str
    messages_lost: int | None
    advice: str

    def __str__(self) -> str:
        lost = "" if self.messages_lost is None else f", {self.messages_lost} messages lost"
        return f"{self.file}: {self.what}{lost}: {self.advice}"


@dataclass(frozen=True)
class SourceFile:
    """A file that belongs to a recording, with its size in bytes."""

    path: Path
    size: int
