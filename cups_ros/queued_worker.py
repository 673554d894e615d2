"""One worker thread that takes every item in order, as long as it keeps up.

The harvest node judges and writes in it while its executor keeps receiving.
"""

from __future__ import annotations

from collections.abc import Callable

from cups_ros.worker import Item, Worker


class QueuedWorker(Worker[Item]):
    """A bounded queue: what comes while it is full is refused.

    Attributes:
        refused: number of items that found the queue full.
    """

    def __init__(self, name: str, work: Callable[[Item], None], capacity: int) -> None:
        self.refused = 0
        self._capacity = capacity
        super().__init__(name, work)

    def put(self, item: Item) -> None:
        """Hand over an item, or count it as refused; never waits for the work."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self.refused += 1
                return
            self._waiting.append(item)
            self._changed.notify()
