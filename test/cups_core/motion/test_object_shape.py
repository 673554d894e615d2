"""Is a mask completed where nothing speaks against it, and nowhere else?"""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.motion.object_shape import complete_shape
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.static_evidence import StaticEvidence

SHAPE = (80, 100)
BODY = (slice(20, 60), slice(30, 70))
HOLE = (slice(32, 48), slice(42, 58))
NOTCH = (slice(20, 40), slice(48, 52))


def silent() -> StaticEvidence:
    """Nothing is measured but the depth of the body."""
    scene = StaticEvidence(
        disparity=np.full(SHAPE, 10, np.float32),
        known=np.zeros(SHAPE, np.bool_),
        residual=np.zeros((*SHAPE, 2), np.float32),
        disparity_residual=np.zeros(SHAPE, np.float32),
        sigma=np.ones(SHAPE, np.float32),
        disparity_sigma=0.2,
        informative=np.zeros(SHAPE, np.bool_),
        ground=np.zeros(SHAPE, np.bool_),
        ego_motion=RigidTransform.identity(),
        evidence=np.zeros(SHAPE, np.float32),
    )
    scene.known[BODY] = True
    scene.evidence[BODY] = 2.0
    return scene


def body(*without: tuple[slice, slice]) -> np.ndarray:
    region = np.zeros(SHAPE, np.int64)
    region[BODY] = 1
    for window in without:
        region[window] = 0
    return region


def hush(scene: StaticEvidence, window: tuple[slice, slice]) -> None:
    scene.known[window] = False
    scene.evidence[window] = 0.0


@pytest.mark.parametrize("gap", [HOLE, NOTCH], ids=["hole", "notch"])
def test_a_silent_gap_is_filled(gap: tuple[slice, slice]) -> None:
    scene = silent()
    hush(scene, gap)
    found = complete_shape(body(gap), 1, scene)
    # A ball does not reach into the corners of the notch.
    assert found[gap].mean() > 0.9
    assert not found[body() == 0].any()
    assert found[body(gap) == 1].all()


def test_a_whole_body_stays_as_it_is() -> None:
    assert np.array_equal(complete_shape(body(), 1, silent()), body() == 1)


def test_what_was_seen_standing_still_stays_out() -> None:
    scene = silent()
    scene.evidence[HOLE] = -1.0
    assert not complete_shape(body(HOLE), 1, scene)[HOLE].any()


def test_another_region_stays_another() -> None:
    region = body()
    region[HOLE] = 2
    assert np.array_equal(complete_shape(region, 1, silent()), region == 1)


def test_a_window_that_shows_what_lies_behind_belongs_to_the_body() -> None:
    scene = silent()
    hush(scene, HOLE)
    scene.known[HOLE] = True
    scene.disparity[HOLE] = 4
    assert complete_shape(body(HOLE), 1, scene)[HOLE].all()


@pytest.mark.parametrize("speaks_against", ["road", "another surface"])
def test_a_notch_that_something_measured_explains_stays_open(speaks_against: str) -> None:
    scene = silent()
    hush(scene, NOTCH)
    if speaks_against == "road":
        scene.ground[NOTCH] = True
    else:
        scene.known[NOTCH] = True
        scene.disparity[NOTCH] = 4
    assert not complete_shape(body(NOTCH), 1, scene)[NOTCH].any()


def test_a_body_at_the_image_border_is_closed_along_it() -> None:
    region = np.zeros(SHAPE, np.int64)
    region[20:60, :30] = 1
    notch = (slice(38, 42), slice(0, 20))
    region[notch] = 0
    assert complete_shape(region, 1, silent())[notch].all()


def test_only_the_region_asked_for_is_completed() -> None:
    region = body(HOLE)
    region[2:12, 2:12] = 2
    region[5:8, 5:8] = 0
    scene = silent()
    hush(scene, HOLE)
    found = complete_shape(region, 2, scene)
    assert found[2:12, 2:12].all()
    assert found.sum() == 100
    # What was given is left as it was.
    assert (region == 1).sum() == 40 * 40 - 16 * 16
