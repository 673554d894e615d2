"""What is left of a blurred region, and what must not change around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.privacy_leak import share_told_apart
from cups_training.privacy.blurring import BlurSettings, blurred, unreadable
from cups_training.privacy.regions import FACE, HEAD_ZONE, PICTURE, PLATE, Region

HEIGHT, WIDTH = 48, 64
CANDIDATES = 40

REGIONS = st.lists(
    st.builds(
        Region,
        st.floats(-20, WIDTH + 10),
        st.floats(-20, HEIGHT + 10),
        st.floats(0.1, 50),
        st.floats(0.1, 50),
        st.sampled_from([FACE, PLATE, HEAD_ZONE]),
        st.just(1.0),
    ),
    max_size=4,
)
SETTINGS = st.builds(
    BlurSettings,
    st.sampled_from(["blur", "fill"]),
    st.integers(1, 16),
    st.floats(0, 255),
    st.floats(0, 2),
    st.floats(0, 1),
)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@given(REGIONS, SETTINGS)
def test_equal_input_gives_equal_bytes_and_stays_as_it_is(regions, settings) -> None:
    picture = noise(1)
    first = blurred(picture, regions, settings)
    assert np.array_equal(picture, noise(1))
    assert first.dtype == np.uint8
    assert np.array_equal(first, blurred(picture, regions, settings))


@given(REGIONS, SETTINGS)
def test_what_a_fill_shows_does_not_depend_on_what_it_hides(regions, settings) -> None:
    settings = BlurSettings("fill", margin=settings.margin, feather=settings.feather)
    regions = regions[:1]  # a neighbour's color is taken from around it, maybe from inside this one
    hidden = unreadable((HEIGHT, WIDTH), regions, settings)
    picture, other = noise(1), np.where(hidden[..., None], noise(2), noise(1))
    assert np.array_equal(blurred(picture, regions, settings), blurred(other, regions, settings))


@given(REGIONS)
def test_the_picture_changes_inside_the_soft_edge_only(regions) -> None:
    settings = BlurSettings()
    wide = BlurSettings(margin=1.0, feather=1.0)
    changed = (blurred(noise(1), regions, settings) != noise(1)).any(axis=2)
    boxes = [Region(r.x, r.y, r.width, r.height, PLATE, 1.0).widened(0.4) for r in regions]
    assert not (changed & ~unreadable((HEIGHT, WIDTH), boxes, wide)).any()


def test_a_face_is_an_ellipse_and_a_plate_has_corners() -> None:
    settings = BlurSettings(margin=0.0, feather=0.0)
    for kind, corner_changes in ((FACE, False), (PLATE, True)):
        region = Region(20, 10, 20, 20, kind, 1.0)
        mask = unreadable((HEIGHT, WIDTH), [region], settings)
        assert mask[20, 20]
        assert mask[20, 30]
        assert mask[10, 20] == corner_changes


def test_a_detection_is_widened_and_a_zone_is_not() -> None:
    settings = BlurSettings(margin=0.5)
    plate, zone = (
        unreadable((HEIGHT, WIDTH), [Region(20, 20, 10, 10, kind, 1.0)], settings)
        for kind in (PLATE, HEAD_ZONE)
    )
    # And the pixels that its edge touches.
    assert plate.sum() == 22 * 22
    assert zone.sum() == 12 * 12


def test_overlapping_regions_leave_nothing_of_either() -> None:
    regions = [Region(10, 10, 20, 20, PLATE, 1.0), Region(22, 14, 20, 20, PLATE, 1.0)]
    hidden = unreadable((HEIGHT, WIDTH), regions, BlurSettings())
    before, after = noise(1).astype(float), blurred(noise(1), regions, BlurSettings()).astype(float)
    gray = before.mean(axis=2)[hidden] - before.mean(axis=2)[hidden].mean()
    left = after.mean(axis=2)[hidden] - after.mean(axis=2)[hidden].mean()
    assert abs((gray * left).sum()) / np.sqrt((gray**2).sum() * (left**2).sum()) < 0.25


def test_a_whole_picture_can_be_filled() -> None:
    whole = Region(0, 0, WIDTH, HEIGHT, PICTURE, 1.0)
    found = blurred(noise(1), [whole], BlurSettings("fill"))
    assert (found == 128).all()


@pytest.mark.parametrize("kind", [PLATE, FACE])
def test_an_attacker_with_all_candidates_only_guesses(kind: str) -> None:
    # Of 40 candidates one guesses right 1 time, more than 6 of 40 times once in 5000 runs.
    assert share_told_apart(kind, BlurSettings(), CANDIDATES, frames=1) <= 6 / CANDIDATES


@pytest.mark.parametrize("kind", [PLATE, FACE])
def test_the_same_attacker_undoes_plain_pixelation(kind: str) -> None:
    pixelated = BlurSettings(blocks=8, noise=0.0)
    assert share_told_apart(kind, pixelated, CANDIDATES, frames=1) > 0.9
