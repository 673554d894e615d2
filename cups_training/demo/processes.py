"""The processes of a demo run: started with a log file each, watched, and stopped in the end.

`cups demo` runs the recorder, the node and the player with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from cups_core.errors import CupsError

STOP_TIMEOUT_S = 15.0
QUOTED_LINES = 15


class DemoError(CupsError):
    """A part of the demo ended early or never answered."""


class ModuleProcess:
    """A Python module in a process of its own.

    What it writes goes to a log file; its standard output may go to a function, line by line.
    """

    def __init__(
        self,
        module: str,
        arguments: list[str],
        log: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Starts it.

        Args:
            module: as after `python -m`.
            arguments: what follows.
            log: the file for standard error and, without `on_line`, for standard output.
            environment: variables on top of this process's.
            on_line: takes each line of standard output, in a thread of its own.
        """
        self.name = module
        self._log = log
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if on_line else file,
                stderr=file,
                env=dict(os.environ) | dict(environment),
                text=True,
                # Ctrl-C in the terminal goes to the demo alone, which then stops its processes.
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()

    def _read(self, on_line: Callable[[str], None] | None) -> None:
        if on_line is not None and self._process.stdout is not None:
            for line in self._process.stdout:
                on_line(line)

    @property
    def has_ended(self) -> bool:
        """Whether it ended well.

        Raises:
            DemoError: it ended with an error.
        """
        code = self._process.poll()
        if code:
            last = "\n".join(self._log.read_text().splitlines()[-QUOTED_LINES:])
            raise DemoError(f"{self.name} ended with code {code}; the end of {self._log}:\n{last}")
        return code is not None

    def stop(self) -> None:
        """Asks it to end and waits; ends it by force when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
