"""A thread that works on items, one after the other; its subclasses say which items may wait.

The nodes compute in such workers while their executor keeps receiving.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """The thread and its mailbox.

    An error that `work` does not handle ends the thread with its traceback; `check` then tells the
    owner.
    """

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self._work = work
        self._waiting: deque[Item] = deque()
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Finish what waits and end the thread; whether it ended within `timeout_s`."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def check(self) -> None:
        """Complain when an error has ended the thread.

        Raises:
            RuntimeError: the thread is gone though nobody stopped it.
        """
        if not self._thread.is_alive() and not self._stopping:
            raise RuntimeError(
                f"the worker {self._thread.name!r} ended by the error whose traceback is above"
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or bool(self._waiting))
                if not self._waiting:
                    return
                item = self._waiting.popleft()
            self._work(item)
            # Its memory is not needed until the next one comes.
            del item
