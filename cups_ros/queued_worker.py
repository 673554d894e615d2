"""One worker thread that takes every item in order, as long as it keeps up.

The harvest node judges and writes in it while its executor keeps receiving.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class QueuedWorker(Generic[Item]):
    """A thread and a bounded queue: what comes while the queue is full is refused.

    An error that `work` does not handle ends the thread with its traceback; `check` then tells the
    owner.

    Attributes:
        refused: number of items that found the queue full.
    """

    def __init__(self, name: str, work: Callable[[Item], None], capacity: int) -> None:
        self.refused = 0
        self._work = work
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item, or count it as refused; never waits for the work."""
        with self._changed:
            if len(self._items) >= self._capacity:
                self.refused += 1
                return
            self._items.append(item)
            self._changed.notify()

    def stop(self, timeout_s: float) -> bool:
        """Do what is queued and end the thread; whether it ended within `timeout_s`."""
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
                self._changed.wait_for(lambda: self._stopping or bool(self._items))
                if not self._items:
                    return
                item = self._items.popleft()
            self._work(item)
            # The next item must not have to wait for the memory of this one.
            del item
