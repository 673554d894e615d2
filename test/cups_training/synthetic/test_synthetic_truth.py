"""The truth explains the pictures and agrees with itself and with the objects' poses."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

Map = NDArray[np.float32]


def _warped(
    image: NDArray[np.uint8], shift: Map, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[np.float32]:
    height, width = shift.shape[:2]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    return cv2.remap(
        image.astype(np.float32), columns + shift[..., 0], rows + shift[..., 1], interpolation
    )


def _flat(truth_instance: NDArray[np.uint16], depth: Map) -> NDArray[np.bool_]:
    """Pixels away from edges, where one pixel shows one surface."""
    finite = np.where(np.isfinite(depth), depth, 1e4).astype(np.float32)
    near = cv2.erode(finite, np.ones((5, 5)))
    far = cv2.dilate(finite, np.ones((5, 5)))
    same = cv2.erode(truth_instance, np.ones((5, 5))) == cv2.dilate(truth_instance, np.ones((5, 5)))
    return (far - near < 0.15 * near) & same


@pytest.mark.parametrize("index", [1, 4])
def test_truth_disparity_warps_right_into_left(sharp_drive: SyntheticDrive, index: int) -> None:
    frame, truth = sharp_drive.frame_with_truth(index)
    shift = np.stack([-truth.disparity, np.zeros_like(truth.disparity)], axis=-1)
    residual = np.abs(_warped(frame.right, shift) - frame.left).mean(axis=-1)
    unwarped = np.abs(frame.right.astype(float) - frame.left).mean(axis=-1)
    seen = ~truth.occluded_stereo
    assert seen.mean() > 0.8
    assert residual[seen].mean() < 0.45 * unwarped[seen].mean()
    assert residual[seen].mean() < 0.35 * residual[~seen].mean()
    inner = seen & _flat(truth.instance, truth.depth)
    assert np.median(residual[inner]) < 2.0


@pytest.mark.parametrize("index", [1, 4])
def test_truth_flow_warps_the_next_frame_into_this_one(
    sharp_drive: SyntheticDrive, index: int
) -> None:
    frame, truth = sharp_drive.frame_with_truth(index)
    after = sharp_drive.frame(index + 1)
    residual = np.abs(_warped(after.left, truth.flow_forward) - frame.left).mean(axis=-1)
    unwarped = np.abs(after.left.astype(float) - frame.left).mean(axis=-1)
    seen = ~truth.occluded_forward
    assert seen.mean() > 0.6
    assert residual[seen].mean() < 0.55 * unwarped[seen].mean()
    assert residual[seen].mean() < 0.4 * residual[~seen].mean()
    for mover in (truth.moving & seen, ~truth.moving & seen):
        inner = mover & _flat(truth.instance, truth.depth)
        assert inner.sum() > 100
        assert np.median(residual[inner]) < 3.0


def test_forward_and_backward_flow_cancel_on_visible_interiors(clean_drive: SyntheticDrive) -> None:
    now, after = clean_drive.truth(2), clean_drive.truth(3)
    back = _warped(after.flow_backward, now.flow_forward)
    gap = np.linalg.norm(now.flow_forward + back, axis=-1)
    target = _warped(
        after.instance.astype(np.float32)[..., None], now.flow_forward, cv2.INTER_NEAREST
    )
    smooth = np.abs(cv2.Laplacian(now.flow_forward, cv2.CV_32F)).max(axis=-1) < 0.02
    inner = (
        ~now.occluded_forward & _flat(now.instance, now.depth) & (target == now.instance) & smooth
    )
    assert inner.sum() > 2000
    assert np.median(gap[inner]) < 0.005
    assert np.quantile(gap[inner], 0.97) < 0.05


def test_left_and_right_disparity_cancel_on_visible_interiors(clean_drive: SyntheticDrive) -> None:
    truth = clean_drive.truth(2)
    shift = np.stack([-truth.disparity, np.zeros_like(truth.disparity)], axis=-1)
    gap = np.abs(_warped(truth.disparity_right, shift) - truth.disparity)
    inner = ~truth.occluded_stereo & _flat(truth.instance, truth.depth) & (truth.disparity > 0)
    assert np.quantile(gap[inner], 0.97) < 0.05


def test_disparity_is_focal_length_times_baseline_over_depth(clean_drive: SyntheticDrive) -> None:
    truth = clean_drive.truth(0)
    surface = np.isfinite(truth.depth)
    expected = clean_drive.rig.fx * clean_drive.rig.baseline_m / truth.depth[surface]
    np.testing.assert_allclose(truth.disparity[surface], expected, rtol=1e-6)
    assert (truth.disparity[~surface] == 0).all()
    assert (truth.semantic[~surface] == 10).all()


def test_object_poses_explain_the_flow_of_rigid_movers(clean_drive: SyntheticDrive) -> None:
    """A car's points, carried by its pose change and projected, give its body's flow."""
    rig = clean_drive.rig
    columns, rows = np.meshgrid(np.arange(rig.width), np.arange(rig.height))
    explained = 0
    for index in range(len(clean_drive)):
        truth = clean_drive.truth(index)
        points = rig.back_project(
            np.where(np.isfinite(truth.depth), truth.depth, 1.0).astype(np.float32)
        )
        into_next = truth.next_camera.inverse()
        for item in truth.objects:
            mask = truth.instance == item.id
            if item.kind not in ("car", "van") or not item.is_moving or mask.sum() < 40:
                continue
            motion = into_next.after(item.next_pose).after(item.pose.inverse()).after(truth.camera)
            target = rig.project(motion.apply(points[mask]))
            found = np.stack([columns[mask], rows[mask]], axis=-1) + truth.flow_forward[mask]
            gap = np.linalg.norm(found - target, axis=-1)
            assert np.quantile(gap, 0.75) < 0.01
            explained += 1
    assert explained >= 3


def test_velocity_is_the_pose_change_over_time(clean_drive: SyntheticDrive) -> None:
    truth = clean_drive.truth(3)
    interval = 1.0 / clean_drive.settings.rate_hz
    movers = [item for item in truth.objects if item.is_moving]
    assert movers
    for item in movers:
        moved = item.next_pose.translation_m - item.previous_pose.translation_m
        expected = truth.camera.rotation.T @ moved / (2 * interval)
        np.testing.assert_allclose(item.velocity_mps, expected, atol=0.35)


def test_a_stopped_ego_sees_no_flow_on_what_stands(clean: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(clean, ego_motion="stopped"), 5)
    truth = drive.truth(2)
    static = ~truth.moving
    assert np.abs(truth.flow_forward[static]).max() < 1e-4
    assert np.abs(truth.flow_backward[static]).max() < 1e-4
    assert np.abs(truth.flow_forward[truth.moving]).max() > 0.5


def test_an_all_static_drive_has_no_movers(clean: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(clean, traffic=0.0, ego_motion="cruise"), 5)
    truth = drive.truth(3)
    assert not truth.moving.any()
    assert not any(item.is_moving for item in truth.objects)
    assert (truth.instance > 0).any()
    assert np.linalg.norm(np.nan_to_num(truth.flow_forward), axis=-1).max() > 1


def test_people_who_stand_are_instances_that_do_not_move(clean_drive: SyntheticDrive) -> None:
    first, last = clean_drive.truth(0), clean_drive.truth(5)
    standing = [item for item in first.objects if item.kind == "pedestrian" and not item.is_moving]
    assert standing
    for item in standing:
        later = last.objects[item.id - 1]
        assert later.id == item.id
        np.testing.assert_array_equal(later.pose.translation_m, item.pose.translation_m)
        assert not (first.moving & (first.instance == item.id)).any()


def test_shadows_change_the_picture_and_not_the_instances(clean: DriveSettings) -> None:
    settings = dataclasses.replace(clean, ego_motion="stopped")
    with_sun = SyntheticDrive(settings, 5)
    without = SyntheticDrive(dataclasses.replace(settings, hard_shadows=False), 5)
    # The light is drawn last, so the street and its traffic are the same.
    np.testing.assert_array_equal(with_sun.truth(1).instance, without.truth(1).instance)
    moving_shadow = (
        np.abs(with_sun.frame(0).left.astype(int) - with_sun.frame(5).left).max(axis=-1) > 12
    )
    truth, later = with_sun.truth(0), with_sun.truth(5)
    road = (truth.semantic == 0) & (later.semantic == 0)
    assert (moving_shadow & road).sum() > 20
    assert (truth.instance[road] == 0).all()


def test_instance_ids_are_stable_and_listed(clean_drive: SyntheticDrive) -> None:
    kinds: dict[int, str] = {}
    for index in (0, 3, 5):
        truth = clean_drive.truth(index)
        listed = {item.id: item.kind for item in truth.objects}
        assert set(np.unique(truth.instance)) - {0} <= set(listed)
        assert all(kinds.setdefault(number, kind) == kind for number, kind in listed.items())
        assert (truth.moving_instance > 0).sum() == truth.moving.sum()


def test_nothing_is_hidden_in_time_when_camera_and_street_stand(clean: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(clean, ego_motion="stopped", traffic=0.0), 5)
    truth = drive.truth(1)
    assert not truth.occluded_forward.any()
    assert not truth.occluded_backward.any()


def test_a_car_that_pulls_out_moves_only_from_then_on(clean: DriveSettings) -> None:
    """Search the drives for a car that starts; its flag follows its own motion."""
    busy = dataclasses.replace(clean, width=64, height=32, frames=20, traffic=3.0)
    for seed in range(1, 20):
        drive = SyntheticDrive(busy, seed)
        for number, actor in enumerate(drive.scene.actors, start=1):
            speeds = [np.linalg.norm(actor.velocity(time)) for time in (0.0, 1.9)]
            if speeds[0] > 0 or speeds[1] == 0:
                continue
            assert actor.body.kind in ("car", "van")
            parked, driving = (drive.truth(index).objects[number - 1] for index in (0, 19))
            assert (parked.is_moving, driving.is_moving) == (False, True)
            assert not np.allclose(driving.pose.translation_m, parked.pose.translation_m)
            return
    pytest.fail("no car pulled out in nineteen drives")
