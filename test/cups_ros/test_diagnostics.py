"""The figures on /diagnostics are those of the frames that went through."""

from __future__ import annotations

import time

import psutil
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from cups_core.errors import InputError
from cups_ros.diagnostics import FrameStatistics, diagnostics_message, memory_mib


def test_counts_and_percentiles_follow_the_frames() -> None:
    statistics = FrameStatistics()
    for milliseconds in range(1, 101):
        now = time.monotonic()
        statistics.frame_done(
            now - milliseconds / 1e3, now, "first frame" if milliseconds == 1 else ""
        )
    values = statistics.values()
    assert values["frames"] == "100"
    assert values["not judged"] == "1"
    assert values["last note"] == "first frame"
    assert float(values["latency p50 [ms]"]) == pytest.approx(50.5, abs=2)
    assert float(values["latency p99 [ms]"]) == pytest.approx(99, abs=2)


def test_the_newest_frame_decides_whether_the_node_is_failing() -> None:
    statistics = FrameStatistics()
    statistics.frame_failed(InputError("too small"))
    assert statistics.failing == "too small"
    statistics.frame_done(time.monotonic(), time.monotonic(), "")
    assert statistics.failing == ""
    assert statistics.values()["failed"] == "1"


def test_a_problem_makes_the_status_a_warning() -> None:
    well = diagnostics_message(5, "/node", "recipe", "", {"rate": "10"})
    ill = diagnostics_message(5, "/node", "recipe", "no images", {})
    assert (well.status[0].level, well.status[0].message) == (DiagnosticStatus.OK, "running")
    assert (ill.status[0].level, ill.status[0].message) == (DiagnosticStatus.WARN, "no images")
    assert {item.key for item in well.status[0].values} == {"rate", "memory [MiB]"}


def test_memory_is_the_resident_set() -> None:
    expected = psutil.Process().memory_info().rss / 2**20
    assert memory_mib() == pytest.approx(expected, rel=0.05)
