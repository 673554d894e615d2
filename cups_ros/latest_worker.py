"""One worker thread that always takes the newest item.

The nodes compute in it while their executor keeps receiving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """A thread and a mailbox for one item: a newer item replaces one that still waits.

    An error that `work` does not handle ends the thread with its traceback; `check` then tells the
    owner.

    Attributes:
        replaced: number of items that a newer one replaced before their turn came.
    """

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self.replaced = 0
        self._work = work
        self._waiting: Item | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; never waits for the work."""
        with self._changed:
            if self._waiting is not None:
                self.replaced += 1
            self._waiting = item
            self._changed.notify()

    def stop(self, timeout_s: float) -> bool:
        """Finish the item in progress and end the thread; whether it ended within `timeout_s`."""
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
                self._changed.wait_for(lambda: self._stopping or self._waiting is not None)
                if self._stopping:
                    return
                item, self._waiting = self._waiting, None
            assert item is not None
            self._work(item)
