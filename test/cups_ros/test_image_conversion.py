"""Messages of ROS become RGB pictures; what each encoding is, `test_image_decoding` says."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cups_core.errors import InputError
from cups_core.image_decoding import ENCODINGS
from cups_ros.image_conversion import rgb_image

WIDTH, HEIGHT = 12, 8
PLAIN = np.full((HEIGHT, WIDTH, 3), (200, 120, 40), np.uint8)


def message(encoding: str, pixels: NDArray[np.generic]) -> Image:
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels[0].nbytes,
        data=array("B", pixels.tobytes()),
    )


def test_rgb8_is_a_view_of_the_message() -> None:
    image = message("rgb8", PLAIN)
    picture = rgb_image(image, "left")
    image.data[0] = 7
    assert picture[0, 0, 0] == 7


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [("mono8", PLAIN[..., 1]), ("mono16", PLAIN[..., 1].astype(np.uint16) << 8)],
)
def test_gray_becomes_three_equal_channels(encoding: str, pixels: NDArray[np.generic]) -> None:
    assert (rgb_image(message(encoding, pixels), "left") == 120).all()


def test_a_12_bit_camera_is_not_black() -> None:
    pixels = PLAIN[..., 1].astype(np.uint16) << 4
    assert (rgb_image(message("mono16", pixels), "left", significant_bits=12) == 120).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images_are_decoded(suffix: str) -> None:
    _, data = cv2.imencode(suffix, PLAIN[..., ::-1])
    image = CompressedImage(format=suffix[1:], data=data.tobytes())
    assert np.abs(rgb_image(image, "left").astype(int) - PLAIN).max() <= 3


def test_compressed_gray_becomes_three_equal_channels() -> None:
    _, data = cv2.imencode(".png", PLAIN[..., 1])
    assert (rgb_image(CompressedImage(format="png", data=data.tobytes()), "left") == 120).all()


@pytest.mark.parametrize("encoding", sorted(set(ENCODINGS) - {"uyvy", "yuyv", "8UC4", "16UC4"}))
def test_conversions_agree_with_cv_bridge(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge")
    channels, channel_type, *_ = ENCODINGS[encoding]
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    pixels = np.random.default_rng(1).integers(0, 255, shape).astype(channel_type)
    if channel_type == "u2":
        pixels <<= 8
    image = message(encoding, pixels)
    expected = cv_bridge.CvBridge().imgmsg_to_cv2(image, "rgb8")
    assert np.abs(rgb_image(image, "left").astype(int) - expected).max() <= 1


def test_an_unknown_encoding_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"/left: .*'nv99'.*rgb8"):
        rgb_image(message("nv99", PLAIN), "/left")
