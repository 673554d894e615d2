"""Left and right images become pairs: the policy of `cups_core` as a filter of `message_filters`.

The stereo input of the nodes connects it to two image subscriptions; any filter of
`message_filters` fits as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cups_core.stereo_pairing import Side, StereoPairing
from cups_ros.message_filter import SimpleFilter
from cups_ros.stamps import nanoseconds


def message_stamp_ns(message: Any) -> int:
    """The stamp of a message's header, nanoseconds."""
    return nanoseconds(message.header.stamp)


class StereoSynchronizer(SimpleFilter):
    """A `message_filters` synchroniser for exactly two inputs, left and right.

    Unlike `ApproximateTimeSynchronizer` it takes the nearest partner instead of the first, counts
    each loss with its reason, starts again when the clock jumps back, and holds no lock while it
    calls back.

    Attributes:
        pairing: the policy, with its counts.
    """

    def __init__(
        self,
        filters: list[Any],
        tolerance_ns: int,
        queue_size: int,
        stamp_ns: Callable[[Any], int] = message_stamp_ns,
    ) -> None:
        """Connect the inputs.

        Args:
            filters: left and right, anything with `registerCallback`.
            tolerance_ns: largest difference of the stamps of a pair; 0 = equal stamps only.
            queue_size: how many images of one side wait for a partner.
            stamp_ns: the stamp of what the inputs hand on, nanoseconds.

        Raises:
            InputError: the tolerance is negative or the queue holds nothing.
        """
        super().__init__()
        self.pairing: StereoPairing[Any] = StereoPairing(tolerance_ns, queue_size)
        self._stamp_ns = stamp_ns
        self._lock = threading.Lock()
        self.connectInput(*filters)

    def connectInput(self, left: Any, right: Any) -> None:
        """Take left images from the one filter and right images from the other."""
        left.registerCallback(self.add, Side.LEFT)
        right.registerCallback(self.add, Side.RIGHT)

    def add(self, message: Any, side: Side) -> None:
        """Take one image and hand on the pairs that it completes."""
        with self._lock:
            pairs = self.pairing.add(side, self._stamp_ns(message), message)
        for pair in pairs:
            self.signalMessage(pair.left, pair.right)
