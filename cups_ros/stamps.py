"""Stamps of message headers as integer nanoseconds and back.

Every part of the nodes that compares times or makes messages uses it.
"""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time

NANOSECONDS_PER_SECOND = 1_000_000_000


def nanoseconds(stamp: Time) -> int:
    """The stamp of a header, nanoseconds."""
    return stamp.sec * NANOSECONDS_PER_SECOND + stamp.nanosec


def time_message(stamp_ns: int) -> Time:
    """The stamp of a header from nanoseconds."""
    seconds, rest = divmod(stamp_ns, NANOSECONDS_PER_SECOND)
    return Time(sec=seconds, nanosec=rest)


def duration_message(duration_s: float) -> Duration:
    """A time span in seconds as a message."""
    seconds, rest = divmod(round(duration_s * NANOSECONDS_PER_SECOND), NANOSECONDS_PER_SECOND)
    return Duration(sec=seconds, nanosec=rest)
