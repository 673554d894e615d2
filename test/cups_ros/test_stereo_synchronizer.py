"""The synchroniser is a filter of message_filters, holds no lock and survives clock jumps."""

from __future__ import annotations

from typing import Any

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cups_core.stereo_pairing import DropReason, Side
from cups_ros.message_filter import SimpleFilter
from cups_ros.stamps import nanoseconds, time_message
from cups_ros.stereo_synchronizer import StereoSynchronizer

MS = 1_000_000
Stamps = list[tuple[int, int]]


def image(stamp_ms: int) -> Image:
    return Image(header=Header(stamp=time_message(stamp_ms * MS)))


class Rig:
    """Two inputs, a synchroniser, and the stamps of its pairs in milliseconds."""

    def __init__(self, tolerance_ms: int = 5, synchronizer: type[Any] = StereoSynchronizer) -> None:
        self.left, self.right = SimpleFilter(), SimpleFilter()
        self.synchronizer = synchronizer([self.left, self.right], tolerance_ms * MS, 10)
        self.pairs: Stamps = []
        self.synchronizer.registerCallback(self.keep)

    def keep(self, left: Image, right: Image) -> None:
        self.pairs.append(tuple(nanoseconds(m.header.stamp) // MS for m in (left, right)))

    def play(self, *stamps_ms: int) -> None:
        for stamp in stamps_ms:
            self.left.signalMessage(image(stamp))
            self.right.signalMessage(image(stamp))


def test_pairs_go_to_every_callback_with_its_own_arguments() -> None:
    rig = Rig()
    told: list[str] = []
    rig.synchronizer.registerCallback(lambda left, right, name: told.append(name), "second")
    rig.play(0, 100)
    assert rig.pairs == [(0, 0), (100, 100)]
    assert told == ["second", "second"]


def test_a_bag_that_loops_pairs_again() -> None:
    rig = Rig()
    for _ in range(3):
        rig.play(*range(0, 2000, 100))
    assert len(rig.pairs) >= 57
    assert rig.synchronizer.pairing.clock_jumps >= 2


def test_a_callback_that_fails_or_feeds_back_does_not_block_the_next_pair() -> None:
    rig = Rig()
    feed_back = iter([300])

    def callback(left: Image, right: Image) -> None:
        for stamp in feed_back:
            rig.play(stamp)
        raise ValueError("a user's mistake")

    rig.synchronizer.registerCallback(callback)
    with pytest.raises(ValueError, match="a user's mistake"):
        rig.play(100)
    with pytest.raises(ValueError, match="a user's mistake"):
        rig.play(400)
    assert (400, 400) in rig.pairs


def test_a_synchronizer_is_a_filter_for_the_next_one() -> None:
    rig = Rig()
    outer = StereoSynchronizer([rig.left, rig.right], 0, 5)
    found: Stamps = []
    outer.registerCallback(lambda left, right: found.append((left, right)))
    rig.play(0)
    assert len(found) == len(rig.pairs) == 1


def test_unequal_stamps_are_counted_per_camera() -> None:
    rig = Rig(tolerance_ms=1)
    for stamp in range(0, 1000, 100):
        rig.left.signalMessage(image(stamp))
        rig.right.signalMessage(image(stamp + 40))
    assert rig.pairs == []
    drops = rig.synchronizer.pairing.drops
    assert drops[Side.LEFT, DropReason.UNPAIRED] == 10
    assert drops[Side.RIGHT, DropReason.UNPAIRED] == 9


def test_exact_pairs_agree_with_message_filters() -> None:
    message_filters = pytest.importorskip("message_filters")
    ours = Rig(tolerance_ms=0)
    theirs = Rig(
        synchronizer=lambda filters, _, queue: message_filters.TimeSynchronizer(filters, queue)
    )
    for rig in (ours, theirs):
        for stamp in (0, 100, 200, 400, 500):
            rig.left.signalMessage(image(stamp))
        for stamp in (100, 200, 300, 500):
            rig.right.signalMessage(image(stamp))
    assert ours.pairs == theirs.pairs == [(100, 100), (200, 200), (500, 500)]
