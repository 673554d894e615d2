"""One worker thread that always takes the newest item.

The nodes compute in it while their executor keeps receiving.
"""

from __future__ import annotations

from collections.abc import Callable

from cups_ros.worker import Item, Worker


class LatestWorker(Worker[Item]):
    """A mailbox for one item: a newer item replaces one that still waits.

    Attributes:
        replaced: number of items that a newer one replaced before their turn came.
    """

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self.replaced = 0
        super().__init__(name, work)

    def put(self, item: Item) -> None:
        """Hand over an item; never waits for the work."""
        with self._changed:
            self.replaced += len(self._waiting)
            self._waiting.clear()
            self._waiting.append(item)
            self._changed.notify()

    def stop(self, timeout_s: float) -> bool:
        """Finish the item in progress and end the thread; whether it ended within `timeout_s`."""
        with self._changed:
            self._waiting.clear()
        return super().stop(timeout_s)
