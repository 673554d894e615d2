"""The overlap of rectangles agrees with a search for common points."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from cups_training.synthetic.collisions import overlap

_number = st.floats(-4, 4)
_size = st.floats(0.3, 3)
_rectangle = st.tuples(_number, _number, st.floats(-7, 7), _size, _size)


def _inside(points: np.ndarray, rectangle: tuple[float, ...], grow: float) -> np.ndarray:
    x, y, heading, along, across = rectangle
    offset = points - (x, y)
    cos, sin = np.cos(heading), np.sin(heading)
    forward = offset[:, 0] * cos + offset[:, 1] * sin
    left = -offset[:, 0] * sin + offset[:, 1] * cos
    return (np.abs(forward) < along + grow) & (np.abs(left) < across + grow)


@given(_rectangle, _rectangle)
def test_overlap_is_the_existence_of_a_common_point(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    steps = np.linspace(-8, 8, 161)
    points = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    surely = (_inside(points, one, 0.0) & _inside(points, other, 0.0)).any()
    perhaps = (_inside(points, one, 0.15) & _inside(points, other, 0.15)).any()
    assume(surely == perhaps)
    found = overlap(
        np.array(one[:2]),
        np.array(one[2]),
        np.array(one[3:]),
        np.array(other[:2]),
        np.array(other[2]),
        np.array(other[3:]),
    )
    assert bool(found) == surely
