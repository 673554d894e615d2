"""What makes a frame worth more than another."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.harvesting.observation import SeenObject
from cups_core.harvesting.scoring import Flaw, FrameScoring, LabelDoubts, ScoreSettings

SETTINGS = ScoreSettings()
SHARES = st.floats(0.0, 1.0)
OBJECTS = st.builds(
    SeenObject,
    track_id=st.integers(0, 5),
    score=SHARES,
    area_share=SHARES,
    speed_mps=st.floats(0.0, 60.0) | st.just(math.nan),
    is_cut=st.booleans(),
)


def motion(make_observation: Any, *objects: SeenObject) -> float:
    return FrameScoring(SETTINGS).score(make_observation(0, objects=objects), ()).motion


def test_larger_faster_surer_and_more_objects_are_worth_more(
    make_observation: Any, make_car: Any
) -> None:
    usual = make_car(1, score=0.7, area_share=0.004, speed_mps=1.0)
    worth = motion(make_observation, usual)
    assert 0 < worth < 1
    for better in ({"score": 0.9}, {"area_share": 0.008}, {"speed_mps": 1.5}):
        assert motion(make_observation, dataclasses.replace(usual, **better)) > worth
    other = dataclasses.replace(usual, track_id=2)
    assert worth < motion(make_observation, usual, other) < 1


def test_an_unknown_speed_counts_between_slow_and_fast(
    make_observation: Any, make_car: Any
) -> None:
    slow, unknown, fast = (
        motion(make_observation, make_car(1, speed_mps=speed)) for speed in (0.1, math.nan, 9.0)
    )
    assert slow < unknown < fast


def test_a_track_that_was_kept_is_worth_less_and_another_one_as_much_as_ever(
    make_observation: Any, make_car: Any
) -> None:
    scoring = FrameScoring(SETTINGS)
    kept = make_observation(0, objects=(make_car(1),))
    worth = [scoring.score(kept, ()).motion]
    for _ in range(2):
        scoring.keep(kept)
        worth.append(scoring.score(kept, ()).motion)
    assert worth == pytest.approx([1.0, 0.5, 0.25])
    assert scoring.score(make_observation(1, objects=(make_car(2),)), ()).motion == 1.0
    scoring.forget_tracks()
    assert scoring.score(kept, ()).motion == 1.0


def test_a_picture_like_a_kept_one_is_not_new(make_observation: Any) -> None:
    scoring = FrameScoring(SETTINGS)
    assert scoring.score(make_observation(0, place=1), ()).novelty == 1.0
    scoring.keep(make_observation(0, place=1))
    assert scoring.score(make_observation(1, place=1), ()).novelty == 0.0
    assert scoring.score(make_observation(2, place=2), ()).novelty > 0.8


def test_middling_scores_are_doubtful_and_sure_ones_are_not(
    make_observation: Any, make_car: Any
) -> None:
    scoring = FrameScoring(SETTINGS)

    def uncertainty(score: float) -> float:
        objects = (make_car(1, score=score),)
        return scoring.score(make_observation(0, objects=objects), ()).uncertainty

    assert uncertainty(0.5) == 1.0
    assert uncertainty(1.0) == uncertainty(0.0) == 0.0
    assert uncertainty(0.7) == pytest.approx(0.6)


def test_an_object_lost_in_mid_picture_is_doubtful_and_one_that_left_is_not(
    make_car: Any,
) -> None:
    inside, leaving = make_car(1), dataclasses.replace(make_car(2), is_cut=True)
    doubts = LabelDoubts()
    assert doubts.update((inside, leaving)) == ()
    assert doubts.update(()) == (1.0, 0.0)
    assert doubts.update((inside,)) == ()


def test_a_size_that_jumps_is_doubtful_and_one_that_grows_slowly_is_hardly(make_car: Any) -> None:
    def doubt(after: float) -> float:
        doubts = LabelDoubts()
        doubts.update((make_car(1, area_share=0.02),))
        (found,) = doubts.update((make_car(1, area_share=after),))
        return found

    assert doubt(0.02) == 0.0
    assert doubt(0.04) == doubt(0.01) == 1.0
    assert 0 < doubt(0.021) < 0.1


@pytest.mark.parametrize(
    ("picture", "flaw"),
    [
        ({}, None),
        ({"sharpness": 0.2}, Flaw.BLURRED),
        ({"dark": 0.7}, Flaw.DARK),
        ({"bright": 0.7}, Flaw.BRIGHT),
        # A black picture has no edges: one reason is enough.
        ({"dark": 1.0, "sharpness": 0.0}, Flaw.DARK),
    ],
)
def test_flawed_pictures_are_told_apart(
    make_quality: Any, picture: dict[str, float], flaw: Flaw | None
) -> None:
    assert FrameScoring(SETTINGS).flaw(make_quality(**picture)) is flaw


def test_a_picture_much_less_sharp_than_those_before_is_blurred(make_quality: Any) -> None:
    scoring = FrameScoring(SETTINGS)
    assert all(scoring.flaw(make_quality(sharpness=0.7)) is None for _ in range(10))
    assert scoring.flaw(make_quality(sharpness=0.45)) is Flaw.BLURRED
    assert FrameScoring(SETTINGS).flaw(make_quality(sharpness=0.45)) is None


@given(objects=st.lists(OBJECTS, max_size=6).map(tuple), doubts=st.lists(SHARES, max_size=4))
def test_every_part_and_the_total_stay_between_0_and_1(
    objects: tuple[SeenObject, ...], doubts: list[float], make_observation: Any
) -> None:
    score = FrameScoring(SETTINGS).score(make_observation(0, objects=objects), doubts)
    for part in (score.motion, score.novelty, score.uncertainty, score.total):
        assert 0.0 <= part <= 1.0


def test_without_a_label_novelty_alone_counts(make_observation: Any) -> None:
    score = FrameScoring(SETTINGS).score(make_observation(0, objects=None), ())
    assert not score.is_labelled
    assert (score.motion, score.uncertainty) == (0.0, 0.0)
    assert score.total == pytest.approx(0.3)
