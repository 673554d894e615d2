"""`SimpleFilter` and `Subscriber` of `message_filters`, or their like where it is not installed.

The image subscriptions and the stereo synchroniser are built on them, so they drop into a
`message_filters` graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from message_filters import SimpleFilter, Subscriber
except ImportError:

    class SimpleFilter:  # type: ignore[no-redef]
        """Something that hands messages on to registered callbacks."""

        def __init__(self) -> None:
            self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

        def registerCallback(self, callback: Callable[..., None], *args: Any) -> int:
            """Call `callback(*messages, *args)` for every output; returns its number."""
            connection = len(self.callbacks)
            self.callbacks[connection] = (callback, args)
            return connection

        def signalMessage(self, *messages: Any) -> None:
            """Hand messages on to the callbacks."""
            for callback, args in self.callbacks.values():
                callback(*messages, *args)

    class Subscriber(SimpleFilter):  # type: ignore[no-redef]
        """A subscription as the source of a graph of filters."""

        def __init__(self, node: Any, message_type: type[Any], topic: str, **kwargs: Any) -> None:
            super().__init__()
            self.topic = topic
            self.sub = node.create_subscription(message_type, topic, self.signalMessage, **kwargs)


__all__ = ["SimpleFilter", "Subscriber"]
