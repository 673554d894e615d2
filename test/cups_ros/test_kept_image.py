"""A kept message always holds the newest picture, and serialises like a fresh one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cups_ros.kept_image import KeptImage

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RNG.integers(0, 255, (4, 6, 3)).astype(np.uint8)),
        ("16UC1", RNG.integers(0, 65535, (4, 6)).astype(np.uint16)),
        ("32FC1", RNG.normal(size=(4, 6)).astype(np.float32)),
    ],
)
def test_it_serialises_like_a_message_made_by_hand(
    encoding: str, pixels: NDArray[np.generic]
) -> None:
    header = Header(frame_id="camera")
    kept = KeptImage(encoding)
    kept.filled(Header(), np.zeros((9, 9, 3) if pixels.ndim == 3 else (9, 9), pixels.dtype))
    kept.filled(Header(), np.zeros_like(pixels))
    by_hand = Image(
        header=header,
        height=4,
        width=6,
        encoding=encoding,
        step=6 * pixels[0, 0].nbytes,
        data=pixels.tobytes(),
    )
    # Not the bytes themselves: what lies in the gaps that align numbers is left to chance.
    found = serialize_message(kept.filled(header, pixels))
    assert deserialize_message(found, Image) == by_hand
    assert len(found) == len(serialize_message(by_hand))


def test_pixels_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="Cannot cast"):
        KeptImage("16UC1").filled(Header(), np.zeros((2, 2), np.float32))
