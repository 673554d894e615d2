"""A drive is reproducible, suites are disjoint, nothing collides, enough moves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_training.synthetic import ego as camera_car
from cups_training.synthetic.collisions import overlap
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import SUITE_NAMES, suite


def test_the_same_seed_gives_the_same_bytes(small: DriveSettings) -> None:
    one, other = SyntheticDrive(small, 3), SyntheticDrive(small, 3)
    other.frame(4)
    for index in (0, 2):
        (frame, truth), (frame_again, truth_again) = (
            one.frame_with_truth(index),
            other.frame_with_truth(index),
        )
        assert frame.left.tobytes() == frame_again.left.tobytes()
        assert frame.right.tobytes() == frame_again.right.tobytes()
        for name in (
            "disparity",
            "flow_forward",
            "flow_backward",
            "occluded_forward",
            "instance",
            "semantic",
        ):
            assert getattr(truth, name).tobytes() == getattr(truth_again, name).tobytes(), name


def test_another_seed_gives_another_drive(small: DriveSettings) -> None:
    assert (
        SyntheticDrive(small, 3).frame(0).left.tobytes()
        != SyntheticDrive(small, 4).frame(0).left.tobytes()
    )


def test_frames_carry_stamps_at_the_rate_and_the_rig(small: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(small, rate_hz=20.0), 3)
    assert drive.stamp_ns(3) - drive.stamp_ns(1) == 100_000_000
    assert len(drive) == 6
    frame = drive.frame(1)
    assert frame.stamp_ns == drive.stamp_ns(1) == drive.truth(1).stamp_ns
    assert frame.rig is drive.rig
    assert 75 < np.degrees(2 * np.arctan(drive.rig.width / 2 / drive.rig.fx)) < 85


def test_intrinsics_scale_with_the_size(small: DriveSettings) -> None:
    large = dataclasses.replace(small, width=384, height=192)
    assert SyntheticDrive(large, 3).rig.fx == pytest.approx(
        SyntheticDrive(small, 3).rig.resized(384, 192).fx
    )


def test_a_frame_outside_the_drive_is_refused(small: DriveSettings) -> None:
    with pytest.raises(InputError, match="from 0 to 5, found 6"):
        SyntheticDrive(small, 3).frame(6)


def test_suites_share_no_seed_and_hold_static_and_stopped_clips() -> None:
    seeds = [clip.seed for name in SUITE_NAMES for clip in suite(name)]
    assert len(seeds) == len(set(seeds))
    for name in SUITE_NAMES:
        clips = suite(name)
        assert len(clips) >= 16
        assert {clip.scenario for clip in clips} == {"usual", "all_static", "ego_stopped"}
        assert all(clip.settings.traffic == 0 for clip in clips if clip.scenario == "all_static")
        assert all(
            clip.settings.ego_motion == "stopped"
            for clip in clips
            if clip.scenario == "ego_stopped"
        )


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="train, val, test"):
        suite("training")


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_nobody_touches_anybody_nor_the_ego(seed: int, clean: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(clean, frames=20, traffic=2.0), seed)
    scene = drive.scene
    times = np.arange(0.0, 2.0, 0.05)
    courses = [scene.ego.trajectory, *(actor.trajectory for actor in scene.actors)]
    sizes = [(camera_car.LENGTH_M, camera_car.WIDTH_M)]
    sizes += [(actor.body.length_m, actor.body.width_m) for actor in scene.actors]
    places = [course.place(times) for course in courses]
    centres = np.array([place for place, _ in places])
    headings = np.array([heading for _, heading in places])
    halves = np.array(sizes)[:, None] / 2
    assert len(courses) > 10
    for one in range(len(courses) - 1):
        rest = slice(one + 1, None)
        touching = overlap(
            centres[one], headings[one], halves[one], centres[rest], headings[rest], halves[rest]
        )
        assert not touching.any(), (
            f"object {one} touches {one + 1 + int(np.flatnonzero(touching.any(axis=1))[0])}"
        )


def test_movers_take_four_to_ten_percent_of_a_suite(clean: DriveSettings) -> None:
    tiny = dataclasses.replace(clean, width=96, height=48, frames=20)
    shares = []
    for clip in suite("test", tiny)[:8]:
        drive = SyntheticDrive(clip.settings, clip.seed)
        shares += [drive.truth(index).moving.mean() for index in (3, 16)]
    assert 0.04 < np.mean(shares) < 0.10


def test_imperfect_cameras_change_the_right_picture_and_not_the_truth(
    small: DriveSettings, clean: DriveSettings
) -> None:
    ideal, real = SyntheticDrive(clean, 3), SyntheticDrive(small, 3)
    np.testing.assert_array_equal(ideal.truth(1).disparity, real.truth(1).disparity)
    assert np.abs(ideal.frame(1).right.astype(int) - real.frame(1).right).mean() > 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plain_walls", False),
        ("saturated_sky", False),
        ("repeated_windows", False),
        ("thin_structures", False),
        ("leaf_holes", False),
        ("hard_shadows", False),
        ("reflections", False),
        ("standing_lookalikes", False),
        ("epipolar_movers", False),
        ("turns", False),
        ("motion_blur_ms", 20.0),
        ("sensor_noise", 1.0),
        ("gain_difference", 0.1),
        ("vignette", 0.3),
        ("blur_difference_px", 0.8),
        ("rectification_error_px", 0.5),
        ("rectification_roll_deg", 0.1),
        ("time_skew_ms", 5.0),
    ],
)
def test_every_switch_changes_some_picture(name: str, value: float, clean: DriveSettings) -> None:
    base = dataclasses.replace(clean, ego_motion="cruise", width=96, height=48)
    changed = dataclasses.replace(base, **{name: value})
    for seed in (1, 2, 3, 4):
        one, other = SyntheticDrive(base, seed).frame(2), SyntheticDrive(changed, seed).frame(2)
        if (one.left != other.left).any() or (one.right != other.right).any():
            return
    pytest.fail(f"{name} = {value} changed no picture of four drives")
