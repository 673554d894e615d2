"""Do merged, voted, sharpened and steady masks follow what most of a clip says?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.motion.clip_masks import carry, steady_masks, voted_masks
from cups_core.motion.clip_merging import merge_views
from cups_core.motion.clip_outlines import sharpened
from cups_core.motion.clip_views import SeenFrame, View
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes
from cups_core.rig import StereoRig

from .scenes import iou

SHAPE = (60, 90)
RIG = StereoRig(np.array([[80.0, 0, 45], [0, 80.0, 30], [0, 0, 1]]), 0.5, SHAPE[1], SHAPE[0])
FLOW_PX = 3.0


def box(left: int, top: int, width: int, height: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, np.bool_)
    mask[top : top + height, left : left + width] = True
    return mask


def view(
    *masks: NDArray[np.bool_], offset: int = 1, speeds: tuple[float, ...] = (5.0,) * 9
) -> View:
    instances = np.zeros(SHAPE, np.uint16)
    for number, mask in enumerate(masks, start=1):
        instances[mask] = number
    objects = tuple(
        MovingObject(
            key, 0.7, area, place, np.array([0, 0, 10.0]), np.array([speeds[key - 1], 0, 0])
        )
        for key, (area, place) in areas_and_boxes(instances).items()
    )
    return View(offset, MotionSegments(instances, objects))


def drifting(count: int = 5) -> list[SeenFrame]:
    """Frames in which everything goes 3 steps to the right from one to the next."""
    right = np.zeros((*SHAPE, 2), np.float32)
    right[..., 0] = FLOW_PX
    return [
        SeenFrame(
            number * 100_000_000,
            RIG,
            np.zeros((*SHAPE, 3), np.uint8),
            np.full(SHAPE, 5, np.float16),
            np.full(SHAPE, 5, np.float32),
            -right if number else None,
            right if number < count - 1 else None,
        )
        for number in range(count)
    ]


def test_views_that_agree_make_one_object_with_more_evidence() -> None:
    merged = merge_views([view(box(20, 20, 20, 20)), view(box(22, 20, 20, 20))], SHAPE)
    (item,) = merged.objects
    assert item.score == pytest.approx(1 - 0.3**2)
    assert item.area_px == (box(20, 20, 20, 20) | box(22, 20, 20, 20)).sum()


def test_the_pixels_of_an_object_are_those_that_most_views_give_it() -> None:
    stray = box(20, 20, 20, 30)
    merged = merge_views([view(box(20, 20, 20, 20))] * 2 + [view(stray)], SHAPE)
    assert np.array_equal(merged.instances > 0, box(20, 20, 20, 20))


def test_pieces_of_one_view_join_the_whole_of_another_only_if_they_move_alike() -> None:
    whole = view(box(20, 20, 20, 20))
    pieces = box(20, 20, 20, 8), box(20, 33, 20, 7)
    assert len(merge_views([whole, view(*pieces)], SHAPE).objects) == 1
    others = merge_views([whole, view(*pieces, speeds=(5.0, -5.0))], SHAPE)
    assert [item.id for item in others.objects] == list(range(1, len(others.objects) + 1))


def test_without_views_there_is_nothing() -> None:
    assert merge_views([], SHAPE).objects == ()


def test_a_mask_is_carried_over_several_frames() -> None:
    ids = box(40, 20, 10, 10).astype(np.uint16)
    carried = carry(drifting(), ids, 0, 4)
    assert carried is not None
    assert np.array_equal(carried > 0, box(52, 20, 10, 10))
    assert (carried[:, :12] == -1).all()


def test_a_mask_is_not_carried_onto_another_surface() -> None:
    frames = drifting(2)
    frames[1] = replace(frames[1], disparity=np.full(SHAPE, 20, np.float32))
    carried = carry(frames, box(40, 20, 10, 10).astype(np.uint16), 0, 1)
    assert carried is not None
    assert (carried == -1).all()


def test_the_vote_mends_one_bad_mask() -> None:
    frames = drifting()
    masks = [box(30 + 3 * n, 20, 12, 20).astype(np.uint16) for n in range(5)]
    true = masks[2] > 0
    masks[2] = box(36, 20, 12, 7).astype(np.uint16)
    voted = voted_masks(frames, masks, masks)
    assert iou(voted[2] > 0, true) > 0.95


def test_a_track_is_shown_by_the_vote_only_where_it_was_measured() -> None:
    frames = drifting()
    masks = [box(30 + 3 * n, 20, 12, 20).astype(np.uint16) for n in range(5)]
    masks[3][:] = 0
    assert not voted_masks(frames, masks, masks)[3].any()


def test_a_track_whose_masks_jump_about_is_dropped() -> None:
    frames = drifting()
    steady = [box(30 + 3 * n, 5, 12, 20) for n in range(5)]
    jumping = [box(10 + 30 * (n % 2), 40, 14, 12) for n in range(5)]
    masks = [
        (a + 2 * b.astype(int)).astype(np.uint16) for a, b in zip(steady, jumping, strict=True)
    ]
    kept = steady_masks(frames, masks, masks, 0.5)
    assert all(np.array_equal(ids, mask) for ids, mask in zip(kept, steady, strict=True))


def test_a_wide_mask_is_cut_to_the_edges_of_the_picture() -> None:
    random = np.random.default_rng(0)
    true = box(35, 15, 20, 28)
    picture = random.normal(70, 8, (*SHAPE, 3))
    picture[true] = random.normal((170, 120, 60), 8, (int(true.sum()), 3))
    wide = box(32, 12, 26, 34)
    cut = sharpened(wide.astype(np.uint16), picture.clip(0, 255).astype(np.uint8)) > 0
    assert iou(cut, true) > 0.95 > iou(wide, true)


def test_a_mask_in_a_picture_without_edges_stays_as_it_is() -> None:
    mask = box(32, 12, 26, 34).astype(np.uint16)
    assert np.array_equal(sharpened(mask, np.full((*SHAPE, 3), 90, np.uint8)), mask)
