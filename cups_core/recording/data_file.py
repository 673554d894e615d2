"""One file of a bag, whatever its format; `recording` joins such files to a drive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from cups_core.recording.messages import Definition, RecordedMessage, Topic, Wanted

SMALL_MESSAGE = 4096
# From that size on it pays to read the beginnings of messages one by one.
LARGE_MESSAGE = 65536
RELIABILITIES = {"1": "reliable", "2": "best_effort"}


class DataFile(Protocol):
    """A file that is open for reading; it told its damages, and tells more while it is read."""

    @property
    def topics(self) -> Sequence[Topic]:
        """What it holds."""
        ...

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """The types that it defines, by name."""
        ...

    @property
    def start_ns(self) -> int | None:
        """When its first message was recorded, None without messages."""
        ...

    @property
    def end_ns(self) -> int | None:
        """When its last message was recorded, None without messages."""
        ...

    def messages(self, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The wanted messages in the order of recording, and maybe some outside of the time."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def kept(view: memoryview) -> bytes | memoryview:
    """The message itself; a small one is copied, so that it keeps no large buffer alive."""
    return bytes(view) if len(view) < SMALL_MESSAGE else view


def offered_reliability(profiles: str) -> str | None:
    """What a topic's publishers offered, from the YAML text that recorders store with it."""
    found = set(re.findall(r"reliability: *['\"]?(\w+)", profiles))
    named = {RELIABILITIES.get(word, word) for word in found}
    return named.pop() if len(named) == 1 and named <= set(RELIABILITIES.values()) else None
