"""Ctrl-C and a termination request as a flag; the mains of all executables look at it."""

from __future__ import annotations

import signal
import threading


def interruption() -> threading.Event:
    """The flag, set by SIGINT and SIGTERM from now on; `rclpy.init` must leave the signals alone.

    Under `ros2 launch` Ctrl-C reaches a process twice: a flag does not mind, an exception would end
    the clean-up.
    """
    flag = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: flag.set())
    return flag
