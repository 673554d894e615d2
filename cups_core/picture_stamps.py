"""Stamps of picture files, from their names, from a text file beside them, or from a rate.

Image folders have one of the three; everything behind them counts nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path

from cups_core.errors import RecordingError

NANOSECONDS_PER_SECOND = 1_000_000_000
# A whole number of at least that many digits is a stamp in nanoseconds, a shorter one counts.
STAMP_DIGITS = 16


def stamps_from_names(names: Sequence[str]) -> list[int] | None:
    """Nanoseconds, where every name is a stamp; otherwise None."""
    if all(name.isdecimal() and len(name) >= STAMP_DIGITS for name in names):
        return [int(name) for name in names]
    return None


def stamps_from_file(file: Path, names: Sequence[str]) -> list[int]:
    """Nanoseconds of each picture from a file with one time a line.

    A line holds seconds, nanoseconds (16 digits or more) or a date as KITTI writes it, taken as
    UTC. Where there are more lines than pictures, the number in a picture's name counts lines from
    0: KITTI leaves out pictures, never lines.

    Raises:
        RecordingError: a line is no time, or there are too few.
    """
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    places: Sequence[int] = range(len(names))
    if len(lines) != len(names):
        if not all(name.isdecimal() and int(name) < len(lines) for name in names):
            raise RecordingError(
                f"{file}: expected a time for each of {len(names)} pictures, found {len(lines)}"
            )
        places = [int(name) for name in names]
    return [_nanoseconds(lines[place], file) for place in places]


def stamps_from_rate(numbers: Sequence[int], rate_hz: float) -> list[int]:
    """Nanoseconds of the pictures with these numbers, 0 for number 0."""
    return [round(number * NANOSECONDS_PER_SECOND / rate_hz) for number in numbers]


def _nanoseconds(line: str, file: Path) -> int:
    word = line.strip()
    try:
        if "-" in word and ":" in word:
            whole = datetime.fromisoformat(word[:19]).replace(tzinfo=timezone.utc)
            fraction = (word[19:].lstrip(".") + "000000000")[:9]
            return int(whole.timestamp()) * NANOSECONDS_PER_SECOND + int(fraction)
        if word.isdecimal() and len(word) >= STAMP_DIGITS:
            return int(word)
        return round(Decimal(word) * NANOSECONDS_PER_SECOND)
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise RecordingError(
            f"{file}: expected seconds, nanoseconds or a date in each line, found {line!r:.60}"
        ) from error
