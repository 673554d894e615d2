"""What a node tells about itself on /diagnostics once a second: rate, latency, losses with their reason, memory."""

from __future__ import annotations

import resource
import time
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from cups_ros.stamps import time_message

REMEMBERED_FRAMES = 600
RATE_WINDOW_S = 5.0


class FrameStatistics:
    """Counts and durations of the frames of one node; written by its worker, read by its timer.

    Attributes:
        processed: number of frames published.
        failures: number of failed frames by reason.
        notes: number of frames that were published but could not be judged, by reason.
    """

    def __init__(self) -> None:
        self.processed = 0
        self.failures: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self._finished: deque[float] = deque(maxlen=REMEMBERED_FRAMES)
        self._latency_s: deque[float] = deque(maxlen=REMEMBERED_FRAMES)
        self._processing_s: deque[float] = deque(maxlen=REMEMBERED_FRAMES)

    def frame_done(self, arrived: float, started: float) -> None:
        """Count a published frame.

        Args:
            arrived: when its pair was complete, `time.monotonic()`.
            started: when the worker took it.
        """
        now = time.monotonic()
        self.processed += 1
        self._finished.append(now)
        self._latency_s.append(now - arrived)
        self._processing_s.append(now - started)

    def rate_hz(self) -> float:
        """Frames per second over the last seconds."""
        now = time.monotonic()
        recent = [moment for moment in tuple(self._finished) if now - moment <= RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0

    def values(self) -> dict[str, str]:
        """The figures by name, as text."""
        values = {"frames": str(self.processed), "rate [Hz]": f"{self.rate_hz():.2f}"}
        for name, durations in (("latency", self._latency_s), ("processing", self._processing_s)):
            found = tuple(durations)
            for percent in (50, 95, 99):
                value = np.percentile(found, percent) * 1e3 if found else float("nan")
                values[f"{name} p{percent} [ms]"] = f"{value:.1f}"
        values |= {f"failed: {reason}": str(count) for reason, count in self.failures.items()}
        values |= {f"not judged: {reason}": str(count) for reason, count in self.notes.items()}
        return values


def memory_mib() -> float:
    """Resident memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def diagnostics_message(
    stamp_ns: int, node_name: str, recipe: str, problem: str, values: Mapping[str, str]
) -> DiagnosticArray:
    """The message for /diagnostics.

    Args:
        stamp_ns: time of the node's clock.
        node_name: fully qualified.
        recipe: what computes the result.
        problem: why nothing comes out, empty when all is well.
        values: figures by name.
    """
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN if problem else DiagnosticStatus.OK,
        name=node_name,
        message=problem or "running",
        hardware_id=recipe,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    status.values.append(KeyValue(key="memory [MiB]", value=f"{memory_mib():.0f}"))
    message = DiagnosticArray(status=[status])
    message.header.stamp = time_message(stamp_ns)
    return message
