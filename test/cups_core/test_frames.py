from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.frames import StereoFrame, StereoPair
from cups_core.rig import StereoRig

RIG = StereoRig(np.array([[70, 0, 16], [0, 70, 8], [0, 0, 1.0]]), 0.5, 32, 16)
IMAGE = np.zeros((16, 32, 3), np.uint8)


def frame(stamp_ns: int, rig: StereoRig = RIG) -> StereoFrame:
    image = np.zeros((*rig.shape, 3), np.uint8)
    return StereoFrame(image, image, stamp_ns, rig)


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        # Left and right of different sizes.
        (IMAGE, np.zeros((16, 30, 3), np.uint8), r"right image at 5 ns.*found uint8 \(16, 30, 3\)"),
        # Gray, where color was agreed on.
        (np.zeros((16, 32), np.uint8), IMAGE, r"left image at 5 ns.*found uint8 \(16, 32\)"),
        # Floats, as inside networks.
        (IMAGE.astype(np.float32), IMAGE, "left image at 5 ns.*found float32"),
    ],
)
def test_an_image_that_is_not_what_the_rig_says_is_refused(
    left: np.ndarray, right: np.ndarray, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        StereoFrame(left, right, 5, RIG)


def test_the_interval_of_a_pair_is_in_seconds() -> None:
    assert StereoPair(frame(1_000_000_000), frame(1_100_000_000)).interval_s == pytest.approx(0.1)


@pytest.mark.parametrize("second_ns", [5, 4])
def test_a_pair_out_of_time_order_is_refused(second_ns: int) -> None:
    with pytest.raises(InputError, match="must be later"):
        StereoPair(frame(5), frame(second_ns))


def test_a_pair_of_two_sizes_is_refused() -> None:
    with pytest.raises(InputError, match=r"sizes differ, \(16, 32\) and \(8, 16\)"):
        StereoPair(frame(5), frame(6, RIG.resized(16, 8)))
