"""What a node tells about itself on /diagnostics: rate, latency, losses with reasons, memory.

The worker of a node counts its frames here, its timer publishes them once a second.
"""

from __future__ import annotations

import resource
import time
from collections import deque
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
        failed: number of frames that gave no result.
        failing: why the newest frame failed; empty when it did not.
        not_judged: number of frames that were published without a judgement, such as the first one.
        last_note: why the last of them was not judged.
    """

    def __init__(self) -> None:
        self.processed = 0
        self.failed = 0
        self.failing = ""
        self.not_judged = 0
        self.last_note = ""
        self._finished: deque[float] = deque(maxlen=REMEMBERED_FRAMES)
        self._latency_s: deque[float] = deque(maxlen=REMEMBERED_FRAMES)
        self._processing_s: deque[float] = deque(maxlen=REMEMBERED_FRAMES)

    def frame_failed(self, error: Exception) -> None:
        """Count a frame that gave no result."""
        self.failed += 1
        self.failing = str(error)

    def frame_done(self, arrived: float, started: float, note: str) -> None:
        """Count a published frame.

        Args:
            arrived: when its pair was complete, `time.monotonic()`.
            started: when the worker took it.
            note: why it could not be judged; empty when it was.
        """
        if note:
            self.not_judged += 1
            self.last_note = note
        self.failing = ""
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
        values["failed"] = str(self.failed)
        values["not judged"] = str(self.not_judged)
        values["last note"] = self.last_note
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
