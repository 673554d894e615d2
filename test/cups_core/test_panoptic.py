from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.panoptic import UNKNOWN_CLASS, PanopticMap, Segment

UNKNOWN = np.full(3, np.nan)
MAP = np.array([[0, 2, 2], [0, 0, 7]], np.uint16)


def segment(identity: int) -> Segment:
    return Segment(identity, UNKNOWN_CLASS, "", True, 1.0, 1, (0, 0, 1, 1), 0, UNKNOWN, UNKNOWN)


def moving(identity: int, velocity_mps: np.ndarray = UNKNOWN) -> MovingObject:
    return MovingObject(identity, 1.0, 1, (0, 0, 1, 1), UNKNOWN, velocity_mps)


def test_a_map_and_its_table_list_the_same_ids() -> None:
    assert len(PanopticMap(MAP, (segment(2), segment(7))).table) == 2
    assert len(MotionSegments(MAP, (moving(2), moving(7))).objects) == 2


def test_an_empty_map_has_an_empty_table() -> None:
    empty = np.zeros((2, 3), np.uint16)
    assert PanopticMap(empty, ()).table == ()
    assert MotionSegments(empty, ()).objects == ()


@pytest.mark.parametrize(
    "ids",
    [
        (2,),  # the map holds an id that nobody describes
        (2, 7, 9),  # the table describes an id that is nowhere
        (7, 2),  # not ascending
        (2, 2, 7),  # twice
    ],
)
def test_a_table_that_does_not_fit_the_map_is_refused(ids: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"holds ids \[2, 7\], the table lists"):
        PanopticMap(MAP, tuple(segment(i) for i in ids))
    with pytest.raises(InputError, match=r"holds ids \[2, 7\], the table lists"):
        MotionSegments(MAP, tuple(moving(i) for i in ids))


@pytest.mark.parametrize("wrong", [MAP.astype(np.int32), MAP[None]])
def test_a_map_of_another_type_or_shape_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected uint16 \(H, W\)"):
        PanopticMap(wrong, (segment(2), segment(7)))
    with pytest.raises(InputError, match=r"expected uint16 \(H, W\)"):
        MotionSegments(wrong, (moving(2), moving(7)))


def test_the_speed_is_the_length_of_the_velocity_and_unknown_where_it_is() -> None:
    assert moving(1, np.array([3.0, 0.0, -4.0])).speed_mps == 5.0
    assert np.isnan(moving(1).speed_mps)
