"""How many bytes may be written now: a token bucket that fills with the time of the stamps.

The harvest policy asks it before each burst and charges it with what reached the disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting

BYTES_PER_GB = 1e9
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class BudgetSettings:
    """How much may be written."""

    budget_gb_per_hour: float = setting(
        5.0, "bytes written per hour of driving, GB (10^9 bytes)", minimum=0.001, maximum=10000.0
    )
    savings_s: float = setting(
        120.0,
        "unspent budget of so many seconds is kept for what comes; older savings are lost",
        minimum=1.0,
        maximum=36000.0,
    )


class Budget:
    """The bucket: empty at first, filled by time, emptied by bytes; a burst may overdraw it once.

    Whatever comes, over any time T that begins with an empty bucket no more is spent than the
    budget of T and the last burst.

    Attributes:
        rate: bytes per second.
        capacity: the most that can be saved by now, bytes.
        available: what may be spent now, bytes; negative while a burst is paid off.
    """

    def __init__(self, settings: BudgetSettings) -> None:
        self.rate = settings.budget_gb_per_hour * BYTES_PER_GB / SECONDS_PER_HOUR
        self.capacity = 0.0
        self.available = 0.0
        self._largest_capacity = self.rate * settings.savings_s

    @property
    def fill(self) -> float:
        """Share of the capacity that is available, 0 to 1."""
        return max(0.0, self.available / self.capacity) if self.capacity else 0.0

    def pass_time(self, seconds: float) -> None:
        """Fill the bucket by the budget of so many seconds."""
        filled = self.rate * seconds
        self.capacity = min(self._largest_capacity, self.capacity + filled)
        self.available = min(self.capacity, self.available + filled)

    def charge(self, size_bytes: int) -> None:
        """Take out what was written."""
        self.available -= size_bytes
