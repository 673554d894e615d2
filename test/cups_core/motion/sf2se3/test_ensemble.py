"""Are rigid objects found whole, by their motion in space, again in every run, and nothing else?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.motion import INTERVAL_S as BUNDLE_INTERVAL_S
from benchmark.motion import Bundle
from cups_core.metrics.motion_masks import count_masks
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segmentation import SegmentationResult
from cups_core.motion.sf2se3.ensemble import ClusteringSettings, RigidMotionClustering

from ..scenes import DRIVING, INTERVAL_S, RIG, ROAD, STANDING, WALL, Board, Scene, iou

DEFAULTS = ClusteringSettings()
LEFT = Board((-2.6, 0.3, 9.0), (4.0, 1.5), (6.0, 0.0, 0.0))
RIGHT = Board((2.8, 0.3, 10.0), (4.0, 1.5), (-3.0, 0.0, 6.0))
STREET = Scene((ROAD, WALL))
STEPS = pytest.mark.parametrize("step", [STANDING, DRIVING], ids=["standing", "driving"])
NOISE_PX = 0.15


def segmented(
    scene: Scene, noise_px: float = NOISE_PX, settings: ClusteringSettings = DEFAULTS
) -> SegmentationResult:
    motion = scene.motion(0, 1, noise_px, noise_px)
    return RigidMotionClustering(settings).segment(motion, scene.rig, INTERVAL_S)


@STEPS
def test_two_moving_boards_are_found_whole(step: RigidTransform) -> None:
    scene = replace(STREET, step=step).plus(LEFT, RIGHT)
    found = segmented(scene)
    assert found.note == ""
    assert len(found.segments.objects) == 2
    for number, board in ((3, LEFT), (4, RIGHT)):
        best = max(
            found.segments.objects,
            key=lambda item: iou(found.segments.instances == item.id, scene.numbers() == number),
        )
        assert iou(found.segments.instances == best.id, scene.numbers() == number) > 0.9
        assert np.linalg.norm(best.velocity_mps - board.velocity_mps) < 0.6
        assert best.consistency > 0.9
        assert 0.5 < best.score < 1.0


@STEPS
@pytest.mark.parametrize("noise_px", [0.0, 0.15, 0.6])
def test_boards_that_stand_still_are_no_objects(step: RigidTransform, noise_px: float) -> None:
    still = [replace(board, velocity_mps=(0.0, 0.0, 0.0)) for board in (LEFT, RIGHT)]
    found = segmented(replace(STREET, step=step).plus(*still), noise_px)
    assert found.segments.objects == ()
    assert not found.segments.instances.any()


@STEPS
def test_a_board_that_turns_by_eight_degrees_in_a_frame_is_found(step: RigidTransform) -> None:
    turning = replace(LEFT, centre_m=(0.0, 0.3, 9.0), turn_rad_s=np.deg2rad(80.0))
    scene = replace(STREET, step=step).plus(turning)
    found = segmented(scene)
    assert len(found.segments.objects) == 1
    assert iou(found.segments.instances == 1, scene.movers() > 0) > 0.8


def test_boards_that_touch_and_move_apart_stay_two() -> None:
    left = Board((-1.0, 0.4, 10.0), (2.0, 1.8), (-4.0, 0.0, 0.0))
    right = Board((1.0, 0.4, 10.0), (2.0, 1.8), (4.0, 0.0, 0.0))
    scene = STREET.plus(left, right)
    found = segmented(scene).segments
    assert len(found.objects) == 2
    assert found.objects[0].velocity_mps[0] * found.objects[1].velocity_mps[0] < 0


def test_boards_with_one_motion_that_lie_apart_stay_two() -> None:
    scene = STREET.plus(LEFT, replace(LEFT, centre_m=(2.8, 0.3, 9.0)))
    found = segmented(scene).segments
    assert len(found.objects) == 2


def test_what_passes_in_front_of_a_large_object_stays_visible() -> None:
    lorry = Board((0.0, -0.2, 12.0), (8.0, 3.0), (5.0, 0.0, 0.0))
    person = Board((0.0, 0.4, 8.0), (1.0, 1.8), (-3.0, 0.0, 0.0))
    scene = STREET.plus(lorry, person)
    found = segmented(scene).segments
    assert len(found.objects) == 2
    assert iou(found.instances == 2, scene.numbers() == 4) > 0.7


def test_the_same_input_gives_the_same_masks() -> None:
    scene = replace(STREET, step=DRIVING).plus(LEFT, RIGHT)
    used = RigidMotionClustering()
    used.segment(scene.motion(0, 1, 0.3, 0.3, seed=5), RIG, INTERVAL_S)
    motion = scene.motion(0, 1, 0.3, 0.3)
    one, other = (
        each.segment(motion, RIG, INTERVAL_S).segments for each in (used, RigidMotionClustering())
    )
    assert np.array_equal(one.instances, other.instances)
    for first, second in zip(one.objects, other.objects, strict=True):
        assert np.array_equal(first.velocity_mps, second.velocity_mps)
        assert (first.score, first.consistency) == (second.score, second.consistency)


def test_another_seed_gives_nearly_the_same_masks() -> None:
    scene = replace(STREET, step=DRIVING).plus(LEFT, RIGHT)
    one, other = (
        segmented(scene, settings=ClusteringSettings(seed=seed)).segments.instances
        for seed in (0, 1)
    )
    assert iou(one > 0, other > 0) > 0.9


def test_a_frame_without_depth_is_empty_and_says_why() -> None:
    motion = STREET.plus(LEFT).motion()
    motion.disparity[:] = 0
    found = RigidMotionClustering().segment(motion, RIG, INTERVAL_S)
    assert found.note.startswith("only 0 points have both a disparity and a consistent flow")
    assert found.segments.objects == ()
    assert not found.segments.instances.any()


def test_what_is_nan_counts_as_unknown() -> None:
    scene = STREET.plus(LEFT, RIGHT)
    motion = scene.motion(0, 1, NOISE_PX, NOISE_PX)
    random = np.random.default_rng(0)
    for values in (
        motion.flow_forward,
        motion.flow_backward,
        motion.disparity,
        motion.disparity_right,
        motion.next_disparity,
        motion.next_disparity_right,
    ):
        values[random.random(RIG.shape) < 0.03] = np.nan
    found = RigidMotionClustering().segment(motion, RIG, INTERVAL_S).segments
    assert len(found.objects) == 2
    assert iou(found.instances > 0, scene.movers() > 0) > 0.8
    assert np.isfinite([item.velocity_mps for item in found.objects]).all()


def test_the_order_of_the_frames_does_not_matter() -> None:
    scene = STREET.plus(LEFT)
    motion = scene.motion(1, 0, NOISE_PX, NOISE_PX)
    found = RigidMotionClustering().segment(motion, RIG, -INTERVAL_S).segments
    (item,) = found.objects
    assert item.velocity_mps == pytest.approx(LEFT.velocity_mps, abs=0.6)


def test_the_border_belongs_to_no_object_where_the_settings_say_so() -> None:
    scene = STREET.plus(replace(LEFT, centre_m=(-5.5, 0.3, 9.0)))
    assert segmented(scene).segments.instances[:, :16].any()
    cut = segmented(scene, settings=ClusteringSettings(border_px=16)).segments.instances
    assert cut.any()
    assert not cut[:, :16].any()


@pytest.mark.parametrize(
    "unfit",
    [{"minimum_area_px": 5000}, {"minimum_speed_mps": 8.0}, {"minimum_surface_m2": 50.0}],
)
def test_what_does_not_fit_the_settings_is_not_reported(unfit: dict[str, float]) -> None:
    scene = STREET.plus(LEFT)
    assert len(segmented(scene).segments.objects) == 1
    assert segmented(scene, settings=replace(DEFAULTS, **unfit)).segments.objects == ()


def test_a_single_run_with_linear_decay_finds_the_boards_too() -> None:
    scene = STREET.plus(LEFT, RIGHT)
    found = segmented(scene, settings=ClusteringSettings(runs=1, decay="linear")).segments
    assert len(found.objects) == 2
    assert [item.consistency for item in found.objects] == [1.0, 1.0]


@pytest.mark.parametrize("name", ["crossing_10", "synth_s03_t05_gt005"])
def test_the_movers_of_the_benchmark_are_found(shared: Path, name: str) -> None:
    bundle = Bundle(shared / f"benchmarks/motion/bundles/{name}.npz")
    found = RigidMotionClustering().segment(bundle.motion, bundle.rig, BUNDLE_INTERVAL_S)
    counts = count_masks(found.segments.instances, bundle.truth)
    assert counts.precision >= 0.75
    assert counts.foreground_iou >= 0.6
