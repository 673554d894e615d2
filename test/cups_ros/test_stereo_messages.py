"""Two image messages with their camera_infos become one stereo frame."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from cups_core.image_decoding import SignificantBits
from cups_ros.stereo_input import StereoMessages, StereoTopics

TOPICS = StereoTopics("left", "right", "left_info", "right_info")


def test_a_12_bit_stereo_camera_is_as_bright_as_it_should_be(
    stereo_picture: Callable[..., tuple[Any, ...]],
) -> None:
    pictures = stereo_picture(1, width=64, height=48)
    bits = SignificantBits()
    for index, brightest in enumerate((4000, 3000)):
        image = pictures[index]
        samples = np.linspace(0, brightest, 64 * 48).astype(np.uint16)
        image.encoding, image.step, image.data = "mono16", 128, array("B", samples.tobytes())
    frame = StereoMessages(*pictures, TOPICS, bits).frame()
    assert bits.value == 12
    # The darker camera keeps its distance to the brighter one.
    assert (frame.left.max(), frame.right.max()) == (250, 188)
    assert frame.left.shape == (48, 64, 3)
