from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from cups_core.drawing import UNKNOWN, color_disparity, color_flow, color_of, overlay_segments
from cups_core.errors import InputError
from cups_core.motion.segments import MotionSegments, MovingObject

NOWHERE = np.full(3, np.nan)


def one_object(identity: int, shape: tuple[int, int] = (120, 200)) -> MotionSegments:
    instances = np.zeros(shape, np.uint16)
    instances[60:100, 50:150] = identity
    item = MovingObject(identity, 1.0, 4000, (50, 60, 100, 40), NOWHERE, np.array([3.0, 0, 4.0]))
    return MotionSegments(instances, (item,))


def gray(shape: tuple[int, int] = (120, 200)) -> np.ndarray:
    return np.full((*shape, 3), 128, np.uint8)


def test_the_first_ids_have_colors_that_an_eye_tells_apart() -> None:
    colors = np.array([[color_of(identity)] for identity in range(1, 25)], np.uint8)
    lab = cv2.cvtColor(np.float32(colors) / 255, cv2.COLOR_RGB2Lab)[:, 0]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2))
    # 2.3 is the smallest difference that people notice (CIE76).
    assert nearest > 5
    consecutive = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert consecutive.min() > 40


def test_an_overlay_fills_the_object_with_its_color_and_leaves_the_rest() -> None:
    image = gray()
    picture = overlay_segments(image, one_object(7))
    assert (image == 128).all()
    inside = picture[70:90, 60:140].reshape(-1, 3)
    expected = np.round(0.55 * 128 + 0.45 * np.array(color_of(7)))
    assert np.abs(inside - expected).max() <= 1
    assert (picture[110:] == 128).all()


def test_an_object_wears_one_color_in_every_frame() -> None:
    first = overlay_segments(gray(), one_object(7))
    again = overlay_segments(gray(), one_object(7))
    other = overlay_segments(gray(), one_object(8))
    assert (first == again).all()
    assert (first[80, 100] != other[80, 100]).any()


def test_the_name_is_written_above_the_object() -> None:
    picture = overlay_segments(gray(), one_object(7))
    assert (picture[40:59, 50:130] != 128).any()


@pytest.mark.parametrize("box", [(0, 0, 30, 20), (190, 110, 10, 10), (0, 0, 200, 120)])
def test_names_at_the_border_stay_inside(box: tuple[int, int, int, int]) -> None:
    left, top, width, height = box
    instances = np.zeros((120, 200), np.uint16)
    instances[top : top + height, left : left + width] = 3
    item = MovingObject(3, 1.0, width * height, box, NOWHERE, NOWHERE)
    picture = overlay_segments(gray(), MotionSegments(instances, (item,)))
    assert picture.shape == (120, 200, 3)
    assert (picture == 255).all(axis=-1).any()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected an image of \(120, 200, 3\)"):
        overlay_segments(gray((60, 200)), one_object(7))


def test_near_is_red_far_is_blue_and_unknown_is_gray() -> None:
    picture = color_disparity(np.array([[0.0, np.nan, 5.0, 98.0]], np.float32), largest_px=100)
    assert (picture[0, :2] == UNKNOWN).all()
    far, near = picture[0, 2].astype(int), picture[0, 3].astype(int)
    assert far[2] > far[0]
    assert near[0] > near[2]


def test_a_map_without_any_disparity_is_all_gray() -> None:
    assert (color_disparity(np.zeros((4, 5), np.float32)) == UNKNOWN).all()


def test_flow_has_the_hue_of_its_direction() -> None:
    flow = np.array([[[10, 0], [-10, 0], [0, 0], [np.nan, 0]]], np.float32)
    right, left, still, unknown = color_flow(flow, largest_px=10)[0]
    assert right.tolist() == [255, 0, 0]
    assert left.tolist() == [0, 255, 255]
    assert still.tolist() == [255, 255, 255]
    assert (unknown == UNKNOWN).all()
