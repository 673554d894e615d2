"""Panoptic maps over their images."""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.panoptic import PanopticMap, Segment
from cups_core.panoptic_drawing import overlay_panoptic

NOWHERE = np.full(3, np.nan)
COLORS = {4: (200, 0, 0), 9: (0, 0, 200)}


def one_thing_on_stuff() -> PanopticMap:
    segments = np.zeros((120, 200), np.uint16)
    segments[60:] = 9
    segments[70:110, 50:150] = 2
    thing = Segment(2, 4, "car", True, 0.9, 4000, (50, 70, 100, 40), 0, NOWHERE, NOWHERE)
    stuff = Segment(9, 9, "road", False, 1.0, 8000, (0, 60, 200, 60), 0, NOWHERE, NOWHERE)
    return PanopticMap(segments, (thing, stuff))


def test_segments_wear_the_color_of_their_class_and_void_stays() -> None:
    image = np.full((120, 200, 3), 100, np.uint8)
    picture = overlay_panoptic(image, one_thing_on_stuff(), COLORS)
    assert (image == 100).all()
    assert (picture[:40] == 100).all()
    assert np.abs(picture[100, 100].astype(int) - (145, 55, 55)).max() <= 1
    assert np.abs(picture[115, 10].astype(int) - (55, 55, 145)).max() <= 1
    assert (picture[109, 60:140] == 255).all()
    assert (picture[50:68, 55:100] != 100).any()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected an image of \(120, 200, 3\)"):
        overlay_panoptic(np.zeros((120, 100, 3), np.uint8), one_thing_on_stuff(), COLORS)
