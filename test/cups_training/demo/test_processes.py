from __future__ import annotations

import time
from pathlib import Path

import pytest

from cups_training.demo.processes import DemoError, ModuleProcess


def wait_for_end(process: ModuleProcess) -> None:
    deadline = time.monotonic() + 30
    while not process.has_ended:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_lines_arrive_and_the_end_is_noticed(tmp_path: Path) -> None:
    lines: list[str] = []
    process = ModuleProcess("calendar", ["2026", "1"], tmp_path / "log", {}, lines.append)
    wait_for_end(process)
    process.stop()
    assert lines[0].strip() == "January 2026"


def test_without_a_listener_the_output_is_in_the_log(tmp_path: Path) -> None:
    process = ModuleProcess("calendar", ["2026", "1"], tmp_path / "log", {})
    wait_for_end(process)
    process.stop()
    assert "January 2026" in (tmp_path / "log").read_text()


def test_a_failure_quotes_the_end_of_the_log(tmp_path: Path) -> None:
    process = ModuleProcess("calendar", ["--nonsense"], tmp_path / "log", {})
    with pytest.raises(DemoError, match=r"(?s)calendar ended with code 2.*unrecognized arguments"):
        wait_for_end(process)
    process.stop()


def test_a_running_process_is_stopped(tmp_path: Path) -> None:
    process = ModuleProcess("http.server", ["0", "--bind", "127.0.0.1"], tmp_path / "log", {})
    assert not process.has_ended
    process.stop()
    assert process._process.returncode is not None
