"""Does the chain follow objects through a stream, and say when it cannot judge a frame?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.motion.online import OnlineMotion, OnlineResult, OnlineSettings

from .scenes import (
    DRIVING,
    INTERVAL_NS,
    RIG,
    STREET,
    Board,
    ExactEstimator,
    Scene,
    iou,
    numbered_frame,
)

DEFAULTS = OnlineSettings()
START_NS = 1_700_000_000_000_000_000
MOVER = Board((-2.0, 0.4, 9.5), (2.6, 2.0), (4.0, 0.0, 0.0))
SCENE = Scene(step=DRIVING).plus(MOVER)


def chain(scene: Scene = SCENE, settings: OnlineSettings = DEFAULTS) -> OnlineMotion:
    exact = ExactEstimator(scene)
    return OnlineMotion(settings, exact, exact)


def run(motion: OnlineMotion, *numbers: int) -> list[OnlineResult]:
    return [motion.process(numbered_frame(n, START_NS + n * INTERVAL_NS)) for n in numbers]


def unjudged(result: OnlineResult) -> bool:
    identity = np.array_equal(result.ego_motion.rotation, np.eye(3))
    return identity and result.segments.objects == () and not result.segments.instances.any()


def test_a_mover_keeps_its_id_from_the_second_frame_on() -> None:
    for number, result in enumerate(run(chain(), 0, 1, 2, 3, 4, 5)):
        assert result.stamp_ns == START_NS + number * INTERVAL_NS
        assert np.array_equal(result.disparity, SCENE.disparities(number)[0])
        if number == 0:
            assert result.note == "first frame: motion is known from the second one on"
            assert unjudged(result)
            continue
        assert result.note == ""
        assert [item.id for item in result.segments.objects] == [1]
        assert iou(result.segments.instances == 1, SCENE.movers(number) > 0) > 0.8
        assert result.segments.objects[0].age == number


def test_ego_motion_takes_the_frame_before_into_this_one() -> None:
    found = run(chain(), 0, 1, 2)[-1].ego_motion
    assert found.translation_m == pytest.approx(DRIVING.translation_m, abs=0.005)
    assert found.rotation == pytest.approx(DRIVING.rotation, abs=1e-3)


def test_velocity_points_where_the_object_goes() -> None:
    (item,) = run(chain(), 0, 1, 2)[-1].segments.objects
    assert item.velocity_mps == pytest.approx([4.0, 0.0, 0.0], abs=0.15 * 4.0)


def test_a_street_without_movers_stays_empty() -> None:
    results = run(chain(Scene(step=DRIVING)), 0, 1, 2, 3)
    assert all(result.segments.objects == () for result in results)
    assert [result.note for result in results[1:]] == ["", "", ""]


def test_a_gap_starts_afresh_and_is_said() -> None:
    motion = chain(settings=OnlineSettings(maximum_gap_s=0.25, confirm_evidence=0.0))
    before, gap, after = (run(motion, *numbers)[-1] for numbers in ((0, 1), (4,), (5,)))
    assert gap.note == "gap of 0.30 s, more than maximum_gap_s = 0.25: started afresh"
    assert unjudged(gap)
    assert after.note == ""
    (old,), (new,) = before.segments.objects, after.segments.objects
    # The chain cannot know that it is the same object.
    assert (old.id, new.id) == (1, 2)


def test_a_dropped_frame_within_the_allowed_gap_is_bridged() -> None:
    results = run(chain(), 0, 1, 3)
    assert results[-1].note == ""
    assert [item.id for item in results[-1].segments.objects] == [1]
    assert results[-1].ego_motion.translation_m[2] == pytest.approx(-1.2, abs=0.01)
    assert results[-1].segments.objects[0].velocity_mps[0] == pytest.approx(4.0, abs=0.15 * 4.0)


@pytest.mark.parametrize("back_ns", [0, 1, 10 * INTERVAL_NS])
def test_a_clock_that_does_not_go_forward_starts_afresh_and_is_said(back_ns: int) -> None:
    motion = chain()
    run(motion, 0, 1)
    stamp_ns = START_NS + INTERVAL_NS
    result = motion.process(numbered_frame(2, stamp_ns - back_ns))
    assert result.note == f"the clock went from {stamp_ns} ns to {stamp_ns - back_ns} ns: " + (
        "started afresh"
    )
    assert unjudged(result)
    after = motion.process(numbered_frame(3, stamp_ns - back_ns + INTERVAL_NS))
    assert after.note == ""
    assert len(after.segments.objects) == 1


def test_another_image_size_starts_afresh_and_is_said() -> None:
    motion = OnlineMotion()
    small = replace(Scene(), rig=RIG.resized(192, 96))
    motion.process(Scene().frame(0))
    result = motion.process(small.frame(1))
    assert result.note == "image size changed from (160, 320) to (96, 192): started afresh"
    assert unjudged(result)
    assert result.disparity.shape == (96, 192)
    assert motion.process(small.frame(2)).note == ""


def test_a_frame_that_shows_too_little_is_said_and_the_next_is_judged() -> None:
    class Dazzled(ExactEstimator):
        """Sees nothing in frame 2."""

        def disparities(
            self, left: NDArray[np.uint8], right: NDArray[np.uint8]
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            found = super().disparities(left, right)
            return (np.zeros_like(found[0]), found[1]) if left.flat[0] == 2 else found

    dazzled = Dazzled(SCENE)
    results = run(OnlineMotion(flow=dazzled, disparity=dazzled), 0, 1, 2, 3, 4)
    assert "points have both a disparity and a consistent flow" in results[2].note
    assert [item.id for item in results[4].segments.objects] == [1]
    assert results[4].note == ""


def test_after_a_reset_the_next_frame_is_the_first() -> None:
    motion = chain()
    run(motion, 0, 1)
    motion.reset()
    first, second = run(motion, 2, 3)
    assert first.note.startswith("first frame")
    assert unjudged(first)
    assert [item.id for item in second.segments.objects] == [2]


def test_the_same_stream_gives_the_same_results() -> None:
    one, other = (run(chain(), 0, 1, 2, 3) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        assert np.array_equal(first.segments.instances, second.segments.instances)
        assert np.array_equal(first.ego_motion.translation_m, second.ego_motion.translation_m)


def test_estimating_ahead_of_judging_gives_the_same_masks() -> None:
    whole, halves = chain(), chain()
    frames = [numbered_frame(n, START_NS + n * INTERVAL_NS) for n in range(4)]
    ahead = [halves.estimate(frame) for frame in frames]
    for frame, estimates in zip(frames, ahead, strict=True):
        expected, found = whole.process(frame), halves.judge(estimates)
        assert np.array_equal(expected.segments.instances, found.segments.instances)


def test_a_large_image_gets_masks_and_disparity_at_its_own_size() -> None:
    # Above 300000 pixels the estimators see half the size.
    scene, rig = replace(SCENE, rig=RIG.resized(400, 200)), RIG.resized(800, 400)
    motion = chain(scene)
    for number in range(3):
        result = motion.process(numbered_frame(number, START_NS + number * INTERVAL_NS, rig))
    large = replace(SCENE, rig=rig)
    (item,) = result.segments.objects
    assert result.disparity.shape == result.segments.instances.shape == (400, 800)
    assert iou(result.segments.instances == item.id, large.movers(2) > 0) > 0.8
    rows, columns = np.nonzero(result.segments.instances)
    assert item.area_px == len(rows)
    assert item.box[:2] == (columns.min(), rows.min())
    truth = large.disparities(2)[0]
    assert np.median(np.abs(result.disparity - truth)) < 0.2


def test_a_mover_is_found_in_images_with_the_chain_s_own_estimators() -> None:
    motion = OnlineMotion()
    for number in range(4):
        result = motion.process(SCENE.frame(number))
    assert result.note == ""
    assert result.ego_motion.translation_m == pytest.approx(DRIVING.translation_m, abs=0.03)
    (item,) = result.segments.objects
    assert iou(result.segments.instances == item.id, SCENE.numbers(3) == len(STREET) + 1) > 0.7
    assert item.velocity_mps == pytest.approx([4.0, 0.0, 0.0], abs=1.0)
