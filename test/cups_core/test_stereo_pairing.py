"""Pairing: exact before nearest, in order, bounded, each loss counted, alive after a jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.stereo_pairing import DropReason, Pair, Side, StereoPairing

MS = 1_000_000
PERIOD = 100 * MS
L, R = Side.LEFT, Side.RIGHT


def feed(pairing: StereoPairing[str], *arrivals: tuple[Side, int]) -> list[tuple[int, int]]:
    """Add images whose stamps are in milliseconds; the stamps of the pairs, in milliseconds."""
    pairs: list[Pair[str]] = []
    for side, stamp_ms in arrivals:
        pairs += pairing.add(side, stamp_ms * MS, f"{side.name} {stamp_ms}")
    assert all(pair.left == f"LEFT {pair.left_stamp_ns // MS}" for pair in pairs)
    assert all(pair.right == f"RIGHT {pair.right_stamp_ns // MS}" for pair in pairs)
    return [(pair.left_stamp_ns // MS, pair.right_stamp_ns // MS) for pair in pairs]


def test_equal_stamps_pair_at_once_whatever_comes_first() -> None:
    pairing: StereoPairing[str] = StereoPairing(0, 5)
    assert feed(pairing, (L, 0), (R, 0)) == [(0, 0)]
    assert feed(pairing, (R, 100), (L, 100)) == [(100, 100)]
    assert not pairing.drops


def test_a_difference_equal_to_the_tolerance_pairs() -> None:
    pairing: StereoPairing[str] = StereoPairing(3 * MS, 5)
    assert feed(pairing, (L, 0), (R, 3), (L, 100), (R, 103)) == [(0, 3), (100, 103)]


def test_a_difference_above_the_tolerance_is_told_with_its_size() -> None:
    pairing: StereoPairing[str] = StereoPairing(3 * MS, 5)
    assert feed(pairing, (L, 0), (R, 4)) == []
    assert pairing.drops == {(L, DropReason.UNPAIRED): 1}
    assert pairing.last_miss_ns == 4 * MS


def test_the_nearest_wins_over_the_first() -> None:
    pairing: StereoPairing[str] = StereoPairing(10 * MS, 5)
    assert feed(pairing, (L, 0), (L, 7), (R, 8)) == [(7, 8)]
    assert pairing.drops == {(L, DropReason.UNPAIRED): 1}


def test_an_exact_partner_wins_over_a_near_one_that_came_first() -> None:
    pairing: StereoPairing[str] = StereoPairing(10 * MS, 5)
    assert feed(pairing, (R, 95), (L, 100), (R, 100)) == [(100, 100)]


def test_steady_cameras_with_an_offset_pair_without_waiting_for_the_next_frame() -> None:
    pairing: StereoPairing[str] = StereoPairing(5 * MS, 5)
    feed(pairing, (L, 0), (R, 2), (L, 100), (R, 102))
    assert feed(pairing, (L, 200), (R, 202)) == [(200, 202)]
    assert feed(pairing, (L, 300), (R, 302)) == [(300, 302)]


def test_a_missing_right_image_costs_one_left_image() -> None:
    pairing: StereoPairing[str] = StereoPairing(0, 5)
    assert feed(pairing, (L, 0), (R, 0), (L, 100), (L, 200), (R, 200)) == [(0, 0), (200, 200)]
    assert pairing.drops == {(L, DropReason.UNPAIRED): 1}


def test_a_silent_right_camera_fills_the_queue_and_no_more() -> None:
    pairing: StereoPairing[str] = StereoPairing(0, 3)
    feed(pairing, *((L, 100 * i) for i in range(10)))
    assert pairing.drops == {(L, DropReason.QUEUE_FULL): 7}
    assert feed(pairing, (R, 900)) == [(900, 900)]


def test_a_late_message_and_a_repeated_one_are_counted_and_change_nothing() -> None:
    pairing: StereoPairing[str] = StereoPairing(0, 5)
    assert feed(pairing, (L, 100), (L, 0), (L, 100), (R, 100)) == [(100, 100)]
    assert pairing.drops == {(L, DropReason.OUT_OF_ORDER): 1, (L, DropReason.REPEATED): 1}


def test_a_looping_drive_pairs_again_after_the_jump() -> None:
    pairing: StereoPairing[str] = StereoPairing(5 * MS, 5)
    for _ in range(3):
        stamps = [i * 100 for i in range(20)]
        pairs = feed(pairing, *((side, stamp) for stamp in stamps for side in Side))
        assert len(pairs) >= 19
    assert pairing.clock_jumps >= 2


def test_a_loop_shorter_than_a_jump_does_not_starve() -> None:
    pairing: StereoPairing[str] = StereoPairing(0, 5)
    pairs = feed(
        pairing, *((side, stamp) for _ in range(5) for stamp in (0, 100, 200, 300) for side in Side)
    )
    assert len(pairs) >= 12


def test_flush_gives_the_pair_that_waited_for_something_nearer() -> None:
    pairing: StereoPairing[str] = StereoPairing(5 * MS, 5)
    assert feed(pairing, (L, 0), (R, 2)) == []
    assert [(pair.left, pair.right) for pair in pairing.flush()] == [("LEFT 0", "RIGHT 2")]


@pytest.mark.parametrize(("tolerance_ns", "queue_size"), [(-1, 5), (0, 0)])
def test_senseless_limits_are_refused(tolerance_ns: int, queue_size: int) -> None:
    with pytest.raises(InputError, match="stereo pairing: expected a tolerance"):
        StereoPairing[str](tolerance_ns, queue_size)


@st.composite
def drives(draw: st.DrawFn) -> list[tuple[Side, int, int]]:
    """Two steady cameras with an offset, jitter and losses: (side, stamp, frame) as they arrive."""
    count = draw(st.integers(1, 30))
    offset = draw(st.integers(-10 * MS, 10 * MS))
    jitter = st.integers(-2 * MS, 2 * MS)
    arrivals = []
    for frame in range(count):
        for side in Side:
            if draw(st.integers(0, 9)) > 0:
                stamp = frame * PERIOD + (offset if side is R else 0) + draw(jitter)
                delay = draw(st.integers(0, 80 * MS))
                arrivals.append((stamp + delay, side, stamp, frame))
    # A transport may delay a stream but keeps its order.
    in_order = {side: sorted((a[2], a[3]) for a in arrivals if a[1] is side) for side in Side}
    feeds = {side: iter(in_order[side]) for side in Side}
    return [(side, *next(feeds[side])) for _, side, _, _ in sorted(arrivals)]


@given(drives())
def test_every_frame_that_both_cameras_delivered_is_paired_with_its_own(
    drive: list[tuple[Side, int, int]],
) -> None:
    pairing: StereoPairing[int] = StereoPairing(15 * MS, 30)
    pairs = [
        pair for side, stamp, frame in drive for pair in pairing.add(side, stamp, frame)
    ] + pairing.flush()
    both = {f for s, _, f in drive if s is L} & {f for s, _, f in drive if s is R}
    assert [(pair.left, pair.right) for pair in pairs] == [(frame, frame) for frame in sorted(both)]
    assert 2 * len(pairs) + sum(pairing.drops.values()) == len(drive)


@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 3_000)), max_size=80),
    st.integers(0, 200),
    st.integers(1, 8),
)
def test_whatever_arrives_no_image_is_used_twice_or_lost_uncounted(
    arrivals: list[tuple[Side, int]], tolerance_ms: int, queue_size: int
) -> None:
    pairing: StereoPairing[int] = StereoPairing(tolerance_ms * MS, queue_size)
    pairs: list[Pair[int]] = []
    newest = -1
    for number, (side, stamp_ms) in enumerate(arrivals):
        jumps = pairing.clock_jumps
        found = pairing.add(side, stamp_ms * MS, number)
        newest = newest if pairing.clock_jumps == jumps else -1
        for pair in found:
            assert pair.left_stamp_ns > newest
            newest = pair.left_stamp_ns
        pairs += found
    pairs += pairing.flush()
    used = [pair.left for pair in pairs] + [pair.right for pair in pairs]
    assert len(used) == len(set(used))
    assert all(abs(pair.left_stamp_ns - pair.right_stamp_ns) <= tolerance_ms * MS for pair in pairs)
    assert len(used) + sum(pairing.drops.values()) == len(arrivals)
