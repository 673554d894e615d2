"""Times, durations, counts and sizes as people read them.

The parts of the overview speak with these.
"""

from __future__ import annotations


def count_text(count: int) -> str:
    """A number with its thousands apart."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def clock(seconds: float, step_s: float = 1.0) -> str:
    """A time as people read it: 7.5 s, 2:05, 1:02:05."""
    if step_s < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def length_text(seconds: float) -> str:
    """A duration as people say it: 7.5 s, 12 min, 1 h 05 min."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 20 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def size_text(count: int) -> str:
    """Bytes as people read them."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if value >= 10 else f"{value:.1f} {units[0]}"
