"""Which left image belongs to which right one: equal stamps first, otherwise the nearest.

The stereo synchroniser of the vehicle nodes and the readers of recorded drives both ask it, so a
drive pairs the same way online and offline. It keeps no lock: a caller with several threads guards
it with its own.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from typing import Generic, NamedTuple, TypeVar

from cups_core.errors import InputError

Item = TypeVar("Item")

# A stamp further back than this is a clock that jumped (a bag that loops); a smaller step back is
# one late message.
JUMP_BACK_NS = 500_000_000
REMEMBERED_INTERVALS = 8


class Side(enum.IntEnum):
    """The camera that an image comes from."""

    LEFT = 0
    RIGHT = 1


class DropReason(enum.Enum):
    """Why an image never became part of a pair."""

    UNPAIRED = "no partner within the tolerance"
    QUEUE_FULL = "queue full while waiting for a partner"
    OUT_OF_ORDER = "older than the one before it"
    REPEATED = "same stamp as the one before it"
    CLOCK_JUMP = "waiting when the clock jumped back"


class Pair(NamedTuple, Generic[Item]):
    """Two images of one moment."""

    left_stamp_ns: int
    right_stamp_ns: int
    left: Item
    right: Item


class _Waiting(NamedTuple, Generic[Item]):
    stamp_ns: int
    item: Item


class StereoPairing(Generic[Item]):
    """Pairs two streams by their stamps, in the order of time.

    A pair is made as soon as no later image can be nearer, which for steady cameras is at once: the
    smallest of the last intervals says when the next image can come at the earliest. Every image
    becomes part of at most one pair, pairs come out in the order of time, and each image that does
    not make it is counted with its reason.

    The tolerance should stay below half the time between frames; above it, neighbours can be taken
    for partners.

    Attributes:
        drops: number of images lost, by side and reason.
        clock_jumps: how often the clock jumped back.
        last_miss_ns: distance between the last image that found no partner and the nearest one of
            the other side.

    Raises:
        InputError: the tolerance is negative or the queue holds nothing.
    """

    def __init__(self, tolerance_ns: int, queue_size: int) -> None:
        if tolerance_ns < 0 or queue_size < 1:
            raise InputError(
                "stereo pairing: expected a tolerance of at least 0 ns and a queue of at least 1 "
                "image, "
                f"found {tolerance_ns} ns and {queue_size}"
            )
        self._tolerance_ns = tolerance_ns
        self._queue_size = queue_size
        self.drops: Counter[tuple[Side, DropReason]] = Counter()
        self.clock_jumps = 0
        self.last_miss_ns: int | None = None
        self._queues: tuple[deque[_Waiting[Item]], ...] = (deque(), deque())
        self._newest: list[int | None] = [None, None]
        self._late_in_a_row = [0, 0]
        self._intervals: tuple[deque[int], ...] = tuple(
            deque(maxlen=REMEMBERED_INTERVALS) for _ in Side
        )

    def add(self, side: Side, stamp_ns: int, item: Item) -> list[Pair[Item]]:
        """Take one image; the pairs that it completes, usually none or one."""
        if not self._continues(side, stamp_ns):
            return []
        newest = self._newest[side]
        if newest is not None:
            self._intervals[side].append(stamp_ns - newest)
        self._newest[side] = stamp_ns
        self._queues[side].append(_Waiting(stamp_ns, item))
        pairs = self._settle(final=False)
        if len(self._queues[side]) > self._queue_size:
            self._drop(side, DropReason.QUEUE_FULL)
        return pairs

    def flush(self) -> list[Pair[Item]]:
        """The pairs that still waited at the end of a drive; what is left counts as dropped."""
        pairs = self._settle(final=True)
        self._drop_all(DropReason.UNPAIRED)
        return pairs

    def clear(self) -> None:
        """Forget all images and stamps, because time starts again; the counts stay."""
        self._drop_all(DropReason.CLOCK_JUMP)
        for side in Side:
            self._newest[side] = None
            self._late_in_a_row[side] = 0
            self._intervals[side].clear()

    def _continues(self, side: Side, stamp_ns: int) -> bool:
        """Whether the image is new; when it starts time again, all else is cleared and it is."""
        newest = self._newest[side]
        if newest is None or stamp_ns > newest:
            self._late_in_a_row[side] = 0
            return True
        if stamp_ns == newest:
            self.drops[side, DropReason.REPEATED] += 1
            return False
        self._late_in_a_row[side] += 1
        # One late message is a hiccup of the transport; a second one in a row is a short drive that
        # loops.
        if newest - stamp_ns < JUMP_BACK_NS and self._late_in_a_row[side] == 1:
            self.drops[side, DropReason.OUT_OF_ORDER] += 1
            return False
        self.clear()
        self.clock_jumps += 1
        return True

    def _settle(self, final: bool) -> list[Pair[Item]]:
        """Decide about the oldest images until one of them has to wait; with `final` none waits."""
        pairs: list[Pair[Item]] = []
        while all(self._queues):
            left, right = (queue[0] for queue in self._queues)
            older = Side.LEFT if left.stamp_ns <= right.stamp_ns else Side.RIGHT
            distance = abs(left.stamp_ns - right.stamp_ns)
            if distance > self._tolerance_ns:
                # Everything else on the other side is later still.
                self.last_miss_ns = distance
                self._drop(older, DropReason.UNPAIRED)
                continue
            # Nothing is nearer to the older image; the later one may be nearer to the one after the
            # older.
            if len(self._queues[older]) > 1:
                later_stamp = max(left.stamp_ns, right.stamp_ns)
                if abs(self._queues[older][1].stamp_ns - later_stamp) < distance:
                    self._drop(older, DropReason.UNPAIRED)
                    continue
            elif not final and self._may_follow_within(older, 2 * distance):
                break
            for queue in self._queues:
                queue.popleft()
            pairs.append(Pair(left.stamp_ns, right.stamp_ns, left.item, right.item))
        return pairs

    def _may_follow_within(self, side: Side, time_ns: int) -> bool:
        """Whether the next image of this side can come less than `time_ns` after its newest one."""
        intervals = self._intervals[side]
        return time_ns > 0 and (not intervals or min(intervals) < time_ns)

    def _drop(self, side: Side, reason: DropReason) -> None:
        self._queues[side].popleft()
        self.drops[side, reason] += 1

    def _drop_all(self, reason: DropReason) -> None:
        for side in Side:
            while self._queues[side]:
                self._drop(side, reason)
