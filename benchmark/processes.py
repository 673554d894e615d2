"""Starts a node of the project in its own process for a benchmark and interrupts it at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

STOP_TIMEOUT_S = 20.0


@contextmanager
def started(module: str, parameters: Mapping[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """The running process of `python -m module` with these ROS parameters."""
    command = [sys.executable, "-m", module, "--ros-args"]
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        command += ["-p", f"{name}:={text}"]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_TIMEOUT_S)
