"""Masks of an ensemble: overlap, suppression, consistency, agreement, holes, pieces in space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.disparity_edges import edge_free
from cups_core.motion.sf2se3.matrix_nms import decay_scores, mask_overlap
from cups_core.motion.sf2se3.painting import fill_holes, paint
from cups_core.motion.sf2se3.spatial_split import split_in_space
from cups_core.motion.sf2se3.votes import Votes, elect

from .cloud import cloud

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.just(12)))
AREA = np.array([1.0, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6])


@given(MASKS)
def test_overlap_is_intersection_over_union_of_the_areas(masks: np.ndarray) -> None:
    overlap = mask_overlap(masks, AREA)
    for i, one in enumerate(masks):
        for j, other in enumerate(masks):
            union = AREA[one | other].sum()
            expected = AREA[one & other].sum() / union if union else 0.0
            assert overlap[i, j] == pytest.approx(expected)


@given(MASKS, st.sampled_from(["gaussian", "linear"]), st.integers(0, 2**31))
def test_suppression_never_raises_a_score_and_keeps_the_best(
    masks: np.ndarray, decay: str, seed: int
) -> None:
    scores = np.random.default_rng(seed).random(len(masks))
    decayed = decay_scores(mask_overlap(masks, AREA), scores, decay)
    assert (decayed <= scores + 1e-12).all()
    assert decayed[scores.argmax()] == scores.max()


def test_of_two_equal_masks_one_is_suppressed() -> None:
    masks = np.array([[True, True, False], [True, True, False], [False, False, True]])
    decayed = decay_scores(mask_overlap(masks, np.ones(3)), np.array([0.9, 0.8, 0.7]), "linear")
    assert decayed == pytest.approx([0.9, 0.0, 0.7])


def test_the_outline_in_the_middle_of_the_runs_is_elected() -> None:
    whole, part, rest = (np.arange(12) < 10), (np.arange(12) < 4), np.arange(12) == 11
    small, large = np.arange(12) < 9, np.arange(12) < 11
    votes = Votes(np.array([small, whole, part, rest, large]), np.array([0, 1, 2, 2, 3]))
    kept, consistency = elect(votes, np.ones(12), 4, 0.7, 0.5, "gaussian")
    assert kept.tolist() == [1]
    assert consistency[2] == 1.0
    assert consistency[3] == 0.25


def test_what_one_run_of_four_found_is_not_elected() -> None:
    votes = Votes(np.ones((1, 3), np.bool_), np.array([0]))
    kept, consistency = elect(votes, np.ones(3), 4, 0.5, 0.0, "gaussian")
    assert len(kept) == 0
    assert consistency.tolist() == [0.25]


def test_no_masks_elect_nothing() -> None:
    votes = Votes(np.zeros((0, 3), np.bool_), np.zeros(0, np.int64))
    kept, consistency = elect(votes, np.ones(3), 8, 0.8, 0.6, "gaussian")
    assert len(kept) == len(consistency) == 0


def test_holes_are_filled_and_what_the_border_closes_is_not() -> None:
    ring = np.zeros((7, 9), np.bool_)
    ring[1:6, 1:6] = True
    ring[3, 3] = False
    assert fill_holes(ring)[3, 3]
    assert fill_holes(ring).sum() == 25
    bar = np.zeros((7, 9), np.bool_)
    bar[:, 4] = True
    assert np.array_equal(fill_holes(bar), bar)
    assert fill_holes(np.ones((3, 3), np.bool_)).all()


def test_later_masks_are_painted_over_earlier_ones() -> None:
    masks = np.zeros((2, 5, 5), np.bool_)
    masks[0], masks[1, 2, 2] = True, True
    painted = paint(masks)
    assert painted[2, 2] == 2
    assert (painted == 1).sum() == 24


def test_points_of_one_motion_that_lie_apart_are_two_pieces() -> None:
    motion = RigidTransform(np.eye(3), np.array([0.5, 0.0, 0.0]))
    points = cloud(motion, 60)
    points.position[:20, 0] += 6.0
    points.columns[:20] += 150
    chosen = np.ones(60, np.bool_)
    chosen[59] = False
    pieces = split_in_space(points, chosen, 4)
    assert [piece.sum() for piece in pieces] == [39, 20]
    assert pieces[1][:20].all()
    assert split_in_space(points, np.zeros(60, np.bool_), 4) == []


def test_a_step_in_disparity_is_an_edge_and_a_slope_is_none() -> None:
    slope = np.tile(np.linspace(20, 24, 60, dtype=np.float32), (30, 1))
    assert edge_free(slope).all()
    step = slope.copy()
    step[:, 30:] += 6
    free = edge_free(step)
    assert not free[:, 29:31].any()
    assert free[:, :26].all()
    assert free[:, 34:].all()
