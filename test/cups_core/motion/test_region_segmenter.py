"""Are moving objects found whole, apart, with their velocity, and is nothing else found?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.motion import INTERVAL_S as BUNDLE_INTERVAL_S
from benchmark.motion import Bundle
from cups_core.errors import InputError
from cups_core.metrics.motion_masks import count_masks
from cups_core.motion.object_table import ObjectSettings
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segmentation import SegmentationResult

from .scenes import DRIVING, INTERVAL_S, RIG, STANDING, STREET, Board, Scene, iou

DEFAULTS = ObjectSettings()
MOVER = Board((0.0, 0.4, 10.0), (2.0, 1.8), (4.0, 0.0, 0.0))
STEPS = pytest.mark.parametrize("step", [STANDING, DRIVING], ids=["standing", "driving"])
NOISES = pytest.mark.parametrize("noise_px", [0.05, 0.3])


def segmented(
    scene: Scene, noise_px: float = 0.1, settings: ObjectSettings = DEFAULTS
) -> SegmentationResult:
    motion = scene.motion(0, 1, noise_px, noise_px)
    return RegionSegmenter(settings).segment(motion, scene.rig, INTERVAL_S)


@STEPS
@NOISES
@pytest.mark.parametrize(
    "velocity_mps",
    [(4.0, 0.0, 0.0), (-8.0, 0.0, 0.0), (2.0, 0.0, 3.0), (0.0, 0.0, -5.0), (0.0, 0.0, 9.0)],
    ids=["right", "fast to the left", "turning away", "oncoming", "ahead"],
)
def test_a_moving_board_is_found_whole(
    velocity_mps: tuple[float, float, float], noise_px: float, step: RigidTransform
) -> None:
    scene = Scene(step=step).plus(replace(MOVER, velocity_mps=velocity_mps))
    found = segmented(scene, noise_px)
    assert found.note == ""
    (item,) = found.segments.objects
    assert item.id == 1
    assert iou(found.segments.instances == 1, scene.movers() > 0) > 0.8
    assert item.centroid_m == pytest.approx(MOVER.centre_m, abs=0.3)
    assert item.area_px == (found.segments.instances == 1).sum()
    assert 0.5 < item.score < 1.0


@NOISES
@pytest.mark.parametrize(
    ("velocity_mps", "step"),
    [
        ((4.0, 0.0, 0.0), STANDING),
        ((4.0, 0.0, 0.0), DRIVING),
        ((-8.0, 0.0, 0.0), DRIVING),
        ((0.0, 0.0, 9.0), DRIVING),
        ((0.0, 0.0, -5.0), STANDING),
        ((0.0, 0.0, -5.0), DRIVING),
    ],
)
def test_its_velocity_is_that_over_ground(
    velocity_mps: tuple[float, float, float], step: RigidTransform, noise_px: float
) -> None:
    scene = Scene(step=step).plus(replace(MOVER, velocity_mps=velocity_mps))
    (item,) = segmented(scene, noise_px).segments.objects
    away = np.linalg.norm(item.velocity_mps - velocity_mps)
    assert away < 0.15 * np.linalg.norm(velocity_mps)


@STEPS
def test_seen_backward_in_time_the_velocity_is_the_same(step: RigidTransform) -> None:
    scene = Scene(step=step).plus(MOVER)
    motion = scene.motion(1, 0, 0.1, 0.1)
    (item,) = RegionSegmenter().segment(motion, RIG, -INTERVAL_S).segments.objects
    truth = step.rotation @ np.array(MOVER.velocity_mps)
    assert np.linalg.norm(item.velocity_mps - truth) < 0.15 * 4.0


@STEPS
@pytest.mark.parametrize("noise_px", [0.0, 0.05, 0.3, 0.6])
def test_where_nothing_moves_nothing_is_found(step: RigidTransform, noise_px: float) -> None:
    found = segmented(Scene(step=step), noise_px)
    assert found.note == ""
    assert found.segments.objects == ()
    assert not found.segments.instances.any()
    assert found.ego_motion is not None
    assert found.ego_motion.transform.translation_m == pytest.approx(step.translation_m, abs=0.01)


def test_a_moving_shadow_is_no_object() -> None:
    shadow = Board((0.0, 1.499, 8.0), (2.0, 3.0), (4.0, 0.0, 0.0), axis=1)
    scene = Scene(step=DRIVING).plus(shadow)
    assert (scene.movers() > 0).sum() > 500
    assert segmented(scene).segments.objects == ()


@STEPS
def test_two_boards_that_touch_and_part_stay_two(step: RigidTransform) -> None:
    left = replace(MOVER, centre_m=(-1.0, 0.4, 10.0), velocity_mps=(-4.0, 0.0, 0.0))
    right = replace(MOVER, centre_m=(1.0, 0.4, 10.0), velocity_mps=(4.0, 0.0, 0.0))
    scene = Scene(step=step).plus(left, right)
    found = segmented(scene).segments
    assert len(found.objects) == 2
    for item in found.objects:
        board = len(STREET) + (1 if item.velocity_mps[0] < 0 else 2)
        assert iou(found.instances == item.id, scene.numbers() == board) > 0.8
    assert found.objects[0].velocity_mps[0] * found.objects[1].velocity_mps[0] < 0


def test_ids_go_by_falling_size() -> None:
    sizes = ((1.0, 1.2), (2.4, 2.0), (1.6, 1.6))
    movers = [
        Board((x, 0.4, 10.0), size, (4.0, 0.0, 0.0))
        for x, size in zip((-3.5, 0.5, 4.0), sizes, strict=True)
    ]
    scene = Scene(STREET[:2]).plus(*movers)
    found = segmented(scene).segments
    assert [item.id for item in found.objects] == [1, 2, 3]
    areas = [item.area_px for item in found.objects]
    assert areas == sorted(areas, reverse=True)
    for item, board in zip(found.objects, (4, 5, 3), strict=True):
        assert iou(found.instances == item.id, scene.numbers() == board) > 0.7


@STEPS
def test_a_hole_of_which_nothing_is_known_is_filled(step: RigidTransform) -> None:
    scene = Scene(step=step).plus(replace(MOVER, size_m=(3.0, 1.8)))
    motion = scene.motion(0, 1, 0.1, 0.1)
    hole = np.zeros(RIG.shape, np.bool_)
    hole[75:95, 145:175] = True
    assert (scene.movers()[hole] > 0).all()
    motion.disparity[hole] = 0
    motion.flow_forward[hole] = 1e3
    found = RegionSegmenter().segment(motion, RIG, INTERVAL_S).segments
    assert len(found.objects) == 1
    assert (found.instances[hole] == 1).all()
    assert iou(found.instances == 1, scene.movers() > 0) > 0.8


def test_too_few_points_are_said_and_give_no_objects() -> None:
    motion = Scene().plus(MOVER).motion()
    motion.disparity[:] = 0
    found = RegionSegmenter().segment(motion, RIG, INTERVAL_S)
    assert found.note.startswith("only 0 points have both a disparity and a consistent flow")
    assert found.ego_motion is None
    assert found.segments.objects == ()
    assert not found.segments.instances.any()


def test_the_same_input_gives_the_same_answer() -> None:
    scene = Scene(step=DRIVING).plus(MOVER)
    motion = scene.motion(0, 1, 0.3, 0.3)
    used = RegionSegmenter()
    used.segment(scene.motion(0, 1, 0.3, 0.3, seed=5), RIG, INTERVAL_S)
    first, second = (
        segmenter.segment(motion, RIG, INTERVAL_S).segments
        for segmenter in (used, RegionSegmenter())
    )
    assert np.array_equal(first.instances, second.instances)
    for one, other in zip(first.objects, second.objects, strict=True):
        assert np.array_equal(one.velocity_mps, other.velocity_mps)
        assert one.score == other.score


@pytest.mark.parametrize(("minimum_speed_mps", "objects"), [(1.0, 1), (3.0, 0)])
def test_what_is_slower_than_the_minimum_speed_is_not_reported(
    minimum_speed_mps: float, objects: int
) -> None:
    scene = Scene().plus(replace(MOVER, velocity_mps=(2.0, 0.0, 0.0)))
    settings = ObjectSettings(minimum_speed_mps=minimum_speed_mps)
    assert len(segmented(scene, settings=settings).segments.objects) == objects


@pytest.mark.parametrize(
    "unfit", [{"minimum_surface_m2": 10.0}, {"maximum_surface_m2": 1.0}, {"minimum_evidence": 300}]
)
def test_what_does_not_fit_the_settings_is_not_reported(unfit: dict[str, float]) -> None:
    scene = Scene().plus(MOVER)
    assert len(segmented(scene).segments.objects) == 1
    assert segmented(scene, settings=ObjectSettings(**unfit)).segments.objects == ()


@pytest.mark.parametrize(("height_m", "objects"), [(2.0, 1), (4.0, 0)])
def test_what_moves_high_above_the_camera_is_not_reported(height_m: float, objects: int) -> None:
    scene = Scene().plus(replace(MOVER, centre_m=(0.0, -height_m, 16.0)))
    assert len(segmented(scene).segments.objects) == objects


@pytest.mark.parametrize(("upward_mps", "objects"), [(0.0, 1), (-4.0, 0)])
def test_what_flies_up_is_not_reported(upward_mps: float, objects: int) -> None:
    scene = Scene().plus(Board((0.0, -0.5, 10.0), (2.0, 1.5), (3.0, upward_mps, 0.0)))
    assert len(segmented(scene).segments.objects) == objects


def test_an_object_that_leaves_the_image_is_found() -> None:
    scene = Scene(step=DRIVING).plus(replace(MOVER, centre_m=(-6.0, 0.4, 10.0)))
    found = segmented(scene).segments
    assert len(found.objects) == 1
    assert found.objects[0].box[0] == 0
    assert iou(found.instances == 1, scene.movers() > 0) > 0.7


def test_a_large_image_is_judged_on_every_second_pixel() -> None:
    scene = replace(Scene(step=DRIVING).plus(MOVER), rig=RIG.resized(800, 400))
    found = segmented(scene).segments
    assert found.instances.shape == (400, 800)
    assert len(found.objects) == 1
    assert iou(found.instances == 1, scene.movers() > 0) > 0.8


def test_estimates_of_another_size_than_the_rig_are_refused() -> None:
    with pytest.raises(InputError, match="the rig has"):
        RegionSegmenter().segment(Scene().motion(), RIG.resized(160, 80), INTERVAL_S)


@pytest.mark.parametrize("name", ["crossing_10", "synth_s03_t05_gt005"])
def test_the_movers_of_the_benchmark_are_found(shared: Path, name: str) -> None:
    bundle = Bundle(shared / f"benchmarks/motion/bundles/{name}.npz")
    found = RegionSegmenter().segment(bundle.motion, bundle.rig, BUNDLE_INTERVAL_S)
    counts = count_masks(found.segments.instances, bundle.truth)
    assert counts.precision >= 0.75
    assert counts.foreground_iou >= 0.6


@STEPS
def test_a_near_board_that_fills_a_sixth_of_the_image_is_found_whole(step: RigidTransform) -> None:
    near = Board((-0.5, 0.4, 5.5), (2.6, 2.0), (4.0, 0.0, 0.0))
    scene = Scene(step=step).plus(near)
    (item,) = segmented(scene).segments.objects
    assert item.area_px > 0.8 * (scene.movers() > 0).sum()
    assert item.velocity_mps == pytest.approx([4.0, 0.0, 0.0], abs=0.2)
