"""Parts of a recording merged by the time of recording, with few of them in memory at once.

The readers of chunked files merge their chunks with it, `recording` merges files.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cups_core.recording.messages import RecordedMessage
from cups_core.stereo_pairing import JUMP_BACK_NS

# So few chunks are looked through for a jump of the clock inside one of them.
FEW_CHUNKS = 16
recorded = attrgetter("recorded_ns")


class Part(NamedTuple):
    """Messages that lie together.

    Attributes:
        start_ns: not later than its first message.
        end_ns: not earlier than its last message.
        read: gives the messages when their time has come.
    """

    start_ns: int
    end_ns: int
    read: Callable[[], Iterable[RecordedMessage]]


def merged(parts: Iterable[Part]) -> Iterator[RecordedMessage]:
    """The messages of all parts by time; a part is read no earlier than it has to be."""
    waiting = sorted(enumerate(parts), key=lambda item: (item[1].start_ns, item[0]), reverse=True)
    # Where times are equal, the order of the parts decides.
    active: list[tuple[int, int, RecordedMessage, Iterator[RecordedMessage]]] = []
    while waiting or active:
        while waiting and (not active or waiting[-1][1].start_ns <= active[0][0]):
            number, part = waiting.pop()
            messages = iter(part.read())
            if (message := next(messages, None)) is not None:
                heapq.heappush(active, (message.recorded_ns, number, message, messages))
        if not active:
            continue
        _, number, message, messages = active[0]
        yield message
        if (following := next(messages, None)) is None:
            heapq.heappop(active)
        else:
            heapq.heapreplace(active, (following.recorded_ns, number, following, messages))


def chunks_in_order(chunks: Sequence[Part]) -> Iterator[RecordedMessage]:
    """The messages of a file's chunks by time, start by start of the recorder's clock.

    Args:
        chunks: in the order of the file; each gives its messages in the order of the file.
    """
    for stretch in _between_clock_jumps(chunks):
        yield from merged(chunk._replace(read=partial(_sorted, chunk)) for chunk in stretch)


def _between_clock_jumps(chunks: Sequence[Part]) -> list[list[Part]]:
    """Split the chunks where the clock of a topic jumps back.

    Tools that write topic after topic make files whose time starts anew with each topic: those are
    to be merged. When one and the same topic goes back in time, the recorder's clock was set, and
    merging would mix two moments.
    """
    ends = accumulate((chunk.end_ns for chunk in chunks), max)
    if len(chunks) > FEW_CHUNKS and all(
        chunk.start_ns >= end - JUMP_BACK_NS for end, chunk in zip(ends, chunks[1:], strict=False)
    ):
        return [list(chunks)]
    stretches: list[list[Part]] = [[]]
    newest: dict[str, int] = {}
    for chunk in chunks:
        first = 0
        messages = list(chunk.read())
        for place, message in enumerate(messages):
            if message.recorded_ns < newest.get(message.topic, 0) - JUMP_BACK_NS:
                stretches[-1].append(_slice(chunk, first, place))
                stretches.append([])
                first = place
                newest.clear()
            newest[message.topic] = max(newest.get(message.topic, 0), message.recorded_ns)
        stretches[-1].append(_slice(chunk, first, None) if first else chunk)
    return stretches


def _sorted(chunk: Part) -> list[RecordedMessage]:
    return sorted(chunk.read(), key=recorded)


def _slice(chunk: Part, first: int, end: int | None) -> Part:
    return chunk._replace(read=lambda: list(chunk.read())[first:end])


def reading_order(topics: NDArray[np.int64], recorded_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """In which order rows are to be read: by time, start by start of the recorder's clock.

    Args:
        topics: (N,) number of each row's topic, in the order of the file.
        recorded_ns: (N,) when each was recorded.
    """
    starts = np.zeros(len(recorded_ns), np.int64)
    if (np.maximum.accumulate(recorded_ns) - recorded_ns > JUMP_BACK_NS).any():
        newest: dict[int, int] = {}
        start = 0
        for place, (topic, time_ns) in enumerate(
            zip(topics.tolist(), recorded_ns.tolist(), strict=True)
        ):
            if time_ns < newest.get(topic, 0) - JUMP_BACK_NS:
                start += 1
                newest.clear()
            newest[topic] = max(newest.get(topic, 0), time_ns)
            starts[place] = start
    return np.lexsort((recorded_ns, starts))
