"""Does an object keep its id for as long as it is seen, and never share or inherit another's?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.motion.tracking import Tracker, TrackingSettings

HEIGHT, WIDTH = 60, 160
SIZE = 20
INTERVAL_S = 0.1
STANDING = RigidTransform.identity()
FOCAL_PX, DEPTH_M = 100.0, 10.0
SURE, DOUBTFUL = 0.95, 0.55
DISPARITY = np.full((HEIGHT, WIDTH), 10, np.float32)
NOTHING = MotionSegments(np.zeros((HEIGHT, WIDTH), np.uint16), ())


def square(
    column: int, score: float = SURE, speed_px: float = 2.0, width: int = SIZE
) -> tuple[int, float, float, int]:
    """Where an object's mask begins, its score, its motion per frame and its width."""
    return column, score, speed_px, width


def seen(*squares: tuple[int, float, float, int]) -> MotionSegments:
    """Segments with one object per square, ids from 1."""
    instances = np.zeros((HEIGHT, WIDTH), np.uint16)
    objects = []
    for number, (column, score, speed_px, width) in enumerate(squares, start=1):
        instances[20:40, column : column + width] = number
        x = (column + width / 2 - WIDTH / 2) / FOCAL_PX * DEPTH_M
        velocity = np.array([speed_px / FOCAL_PX * DEPTH_M / INTERVAL_S, 0.0, 0.0])
        area = int((instances == number).sum())
        objects.append(
            MovingObject(
                number, score, area, (column, 20, width, 20), np.array([x, 0.0, DEPTH_M]), velocity
            )
        )
    return MotionSegments(instances, tuple(objects))


def flow_back(columns: slice = slice(None), speed_px: float = 2.0) -> NDArray[np.float32]:
    """Flow from the new frame to the previous one: `columns` moved to the right."""
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[:, columns, 0] = -speed_px
    return flow


def follow(
    tracker: Tracker,
    segments: MotionSegments,
    flow: NDArray[np.float32] | None = None,
    disparity: NDArray[np.float32] = DISPARITY,
    ego_motion: RigidTransform = STANDING,
) -> MotionSegments:
    """One frame; everything moves two pixels to the right unless `flow` says otherwise."""
    carried = tracker.propagate(flow_back() if flow is None else flow, disparity)
    return tracker.update(segments, carried, ego_motion, INTERVAL_S)


def ids(segments: MotionSegments) -> list[int]:
    return [item.id for item in segments.objects]


def test_an_object_keeps_its_id_and_ages() -> None:
    tracker = Tracker()
    for frame in range(12):
        found = follow(tracker, seen(square(20 + 2 * frame)))
        assert ids(found) == [1]
        assert found.objects[0].age == frame + 1
        assert found.objects[0].box == (20 + 2 * frame, 20, SIZE, SIZE)
        assert found.objects[0].area_px == SIZE * SIZE
        assert (found.instances > 0).sum() == SIZE * SIZE


def test_objects_keep_their_ids_whatever_order_they_are_found_in() -> None:
    tracker = Tracker()
    first = follow(tracker, seen(square(20), square(80)))
    second = follow(tracker, seen(square(82), square(22)))
    assert ids(first) == ids(second) == [1, 2]
    assert first.instances[30, 25] == second.instances[30, 27] == 1
    assert first.instances[30, 85] == second.instances[30, 87] == 2


def test_an_object_that_appears_gets_a_new_id() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(20)))
    assert ids(follow(tracker, seen(square(22), square(100)))) == [1, 2]


def test_an_id_is_not_given_again_after_a_reset() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(20), square(80)))
    tracker.reset()
    assert not tracker.propagate(flow_back(), DISPARITY).any()
    assert ids(follow(tracker, seen(square(22), square(82)))) == [3, 4]


def test_a_doubtful_object_is_shown_once_it_has_gathered_evidence() -> None:
    # -log(1 - 0.55) = 0.8 a frame: the third frame passes 2.
    tracker = Tracker(TrackingSettings(confirm_evidence=2.0))
    shown = [ids(follow(tracker, seen(square(20 + 2 * n, DOUBTFUL)))) for n in range(4)]
    assert shown == [[], [], [1], [1]]
    assert ids(follow(Tracker(), seen(square(20, SURE)))) == [1]


def test_without_confirmation_everything_is_shown_at_once() -> None:
    tracker = Tracker(TrackingSettings(confirm_evidence=0.0))
    assert ids(follow(tracker, seen(square(20, DOUBTFUL)))) == [1]


def test_a_doubtful_object_that_is_missed_begins_anew() -> None:
    tracker = Tracker()
    shown = []
    for frame in range(6):
        segments = NOTHING if frame == 2 else seen(square(20 + 2 * frame, DOUBTFUL))
        shown.append(ids(follow(tracker, segments)))
    assert shown[:5] == [[], [], [], [], []]
    assert len(shown[5]) == 1


@pytest.mark.parametrize("hold_frames", [0, 1, 3])
def test_a_missed_object_is_held_where_flow_takes_it(hold_frames: int) -> None:
    tracker = Tracker(TrackingSettings(hold_frames=hold_frames))
    follow(tracker, seen(square(20)))
    for missed in range(1, hold_frames + 1):
        found = follow(tracker, NOTHING)
        assert ids(found) == [1]
        assert found.objects[0].box == (20 + 2 * missed, 20, SIZE, SIZE)
        assert found.objects[0].age == 1
    assert follow(tracker, NOTHING).objects == ()


def test_a_held_object_moves_on_with_its_velocity() -> None:
    tracker = Tracker()
    before = follow(tracker, seen(square(20))).objects[0]
    turn = RigidTransform.from_twist(np.array([0.0, 0.1, 0.0, 0.0, 0.0, -1.0]))
    held = follow(tracker, NOTHING, ego_motion=turn).objects[0]
    expected = turn.apply(before.centroid_m + before.velocity_mps * INTERVAL_S)
    assert held.centroid_m == pytest.approx(expected)
    assert held.velocity_mps == pytest.approx(turn.rotation @ before.velocity_mps)


def test_a_held_object_that_is_found_again_keeps_its_id() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(20)))
    follow(tracker, NOTHING)
    found = follow(tracker, seen(square(24)))
    assert ids(found) == [1]
    assert found.objects[0].age == 2


def test_an_object_that_leaves_the_image_is_not_held() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(WIDTH - SIZE)))
    assert follow(tracker, NOTHING, flow_back(speed_px=15)).objects == ()


def test_a_mask_is_not_carried_onto_another_surface() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(20)))
    nearer = np.full_like(DISPARITY, 40)
    assert not tracker.propagate(flow_back(), nearer).any()


def test_a_mask_is_carried_where_depth_is_unknown() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(20)))
    carried = tracker.propagate(flow_back(), np.zeros_like(DISPARITY))
    assert (carried[20:40, 22 : 22 + SIZE] == 1).all()
    assert (carried > 0).sum() == SIZE * SIZE


@pytest.mark.parametrize(("frames_hidden", "same"), [(2, True), (5, True), (12, False)])
def test_a_hidden_object_gets_its_id_back_where_it_must_be(frames_hidden: int, same: bool) -> None:
    tracker = Tracker(TrackingSettings(hold_frames=0, remember_frames=10))
    follow(tracker, seen(square(20)))
    for _ in range(frames_hidden):
        assert follow(tracker, NOTHING).objects == ()
    found = follow(tracker, seen(square(20 + 2 * (frames_hidden + 1))))
    assert ids(found) == [1 if same else 2]


@pytest.mark.parametrize(
    "other",
    [square(110), square(24, speed_px=-12.0)],
    ids=["elsewhere", "moving the other way"],
)
def test_another_object_does_not_get_the_id_of_a_hidden_one(
    other: tuple[int, float, float, int],
) -> None:
    tracker = Tracker(TrackingSettings(hold_frames=0))
    follow(tracker, seen(square(20)))
    follow(tracker, NOTHING)
    assert ids(follow(tracker, seen(other))) == [2]


def test_two_tracks_that_are_found_as_one_keep_their_ids() -> None:
    tracker = Tracker()
    before = follow(tracker, seen(square(40), square(60, speed_px=-4.0)))
    found = follow(tracker, seen(square(42, width=2 * SIZE)))
    assert ids(found) == [1, 2]
    assert (found.instances[20:40, 42:61] == 1).all()
    assert (found.instances[20:40, 63:82] == 2).all()
    # What is measured of both together is true of neither.
    for one, other in zip(before.objects, found.objects, strict=True):
        assert other.velocity_mps == pytest.approx(one.velocity_mps)
    assert ids(follow(tracker, seen(square(44), square(64, speed_px=-4.0)))) == [1, 2]


def test_two_pieces_of_one_track_stay_one() -> None:
    tracker = Tracker()
    follow(tracker, seen(square(40, width=2 * SIZE)))
    found = follow(tracker, seen(square(42, width=26), square(70, width=12)))
    assert ids(found) == [1]
    assert found.objects[0].area_px == (26 + 12) * SIZE


def test_velocity_is_smoothed() -> None:
    tracker = Tracker()
    slow = follow(tracker, seen(square(20, speed_px=2.0))).objects[0].velocity_mps[0]
    fast = seen(square(22, speed_px=4.0))
    found = follow(tracker, fast).objects[0].velocity_mps[0]
    assert slow < found < fast.objects[0].velocity_mps[0]
    for frame in range(20):
        found = follow(tracker, seen(square(24 + 2 * frame, speed_px=4.0)))
    assert found.objects[0].velocity_mps == pytest.approx(fast.objects[0].velocity_mps, rel=0.01)


def test_ids_that_leave_numbers_out_are_refused() -> None:
    instances = np.zeros((8, 8), np.uint16)
    instances[2:6, 2:6] = 3
    where = np.array([0.0, 0.0, 10.0])
    item = MovingObject(3, 0.9, 16, (2, 2, 4, 4), where, where)
    with pytest.raises(InputError, match=r"expected ids 1 to 1, found \[3\]"):
        Tracker().update(
            MotionSegments(instances, (item,)),
            np.zeros((8, 8), np.uint16),
            RigidTransform.identity(),
            0.1,
        )


def test_following_changes_nothing_that_it_was_given() -> None:
    tracker, segments, flow = Tracker(), seen(square(20)), flow_back()
    follow(tracker, segments, flow)
    follow(tracker, segments, flow)
    assert np.array_equal(segments.instances, seen(square(20)).instances)
    assert np.array_equal(flow, flow_back())
