"""Every encoding becomes the same RGB picture, and every damage one clear sentence."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cups_core.errors import InputError
from cups_ros.image_conversion import ENCODINGS, rgb_image

WIDTH, HEIGHT = 12, 8
RED, GREEN, BLUE = 200, 120, 40
# One colour everywhere, so that a mosaic of it is the same after interpolation.
PLAIN = np.full((HEIGHT, WIDTH, 3), (RED, GREEN, BLUE), np.uint8)
GRAY = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


def message(
    encoding: str, pixels: NDArray[np.generic], padding: int = 0, is_bigendian: bool = False
) -> Image:
    """A message whose rows carry `padding` more bytes than the pixels need."""
    if is_bigendian:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )


def mosaic(pattern: str) -> NDArray[np.uint8]:
    """The Bayer image of the plain picture whose first 2x2 pixels are `pattern`, row by row."""
    values = {"r": RED, "g": GREEN, "b": BLUE}
    tile = np.array([values[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (HEIGHT // 2, WIDTH // 2))


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", PLAIN),
        ("bgr8", PLAIN[..., ::-1]),
        ("8UC3", PLAIN[..., ::-1]),
        ("rgba8", np.dstack([PLAIN, np.zeros((HEIGHT, WIDTH), np.uint8)])),
        ("bgra8", np.dstack([PLAIN[..., ::-1], np.zeros((HEIGHT, WIDTH), np.uint8)])),
        *((f"bayer_{pattern}8", mosaic(pattern)) for pattern in ("rggb", "bggr", "gbrg", "grbg")),
        *(
            (f"bayer_{pattern}16", mosaic(pattern).astype(np.uint16) << 8)
            for pattern in ("rggb", "bggr", "gbrg", "grbg")
        ),
    ],
)
@pytest.mark.parametrize("padding", [0, 6])
def test_color_encodings_give_the_same_picture(
    encoding: str, pixels: NDArray[np.generic], padding: int
) -> None:
    np.testing.assert_array_equal(rgb_image(message(encoding, pixels, padding), "left"), PLAIN)


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "channel"), [("mono8", "u1"), ("8UC1", "u1"), ("mono16", "u2"), ("16UC1", "u2")]
)
def test_gray_encodings_give_three_equal_channels(
    encoding: str, channel: str, is_bigendian: bool
) -> None:
    pixels = GRAY[..., 0].astype(channel) << (8 if channel == "u2" else 0)
    found = rgb_image(message(encoding, pixels.astype(channel), 2, is_bigendian), "left")
    np.testing.assert_array_equal(found, GRAY)


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
def test_yuv_encodings_keep_the_color(encoding: str, order: str) -> None:
    # ITU-R BT.601 in video range, as cameras send it.
    y = 16 + (65.738 * RED + 129.057 * GREEN + 25.064 * BLUE) / 256
    u = 128 + (-37.945 * RED - 74.494 * GREEN + 112.439 * BLUE) / 256
    v = 128 + (112.439 * RED - 94.154 * GREEN - 18.285 * BLUE) / 256
    values = {"y": y, "u": u, "v": v}
    pair = np.array([round(values[letter]) for letter in order], np.uint8).reshape(2, 2)
    pixels = np.tile(pair, (HEIGHT, WIDTH // 2, 1))
    found = rgb_image(message(encoding, pixels), "left")
    assert np.abs(found.astype(int) - PLAIN).max() <= 2


def test_rgb8_is_a_view_of_the_message() -> None:
    image = message("rgb8", PLAIN)
    picture = rgb_image(image, "left")
    image.data[0] = 7
    assert picture[0, 0, 0] == 7


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_any_size_and_step_of_rgb8_survives(width: int, height: int, padding: int) -> None:
    pixels = np.random.default_rng(width * height).integers(0, 255, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(rgb_image(message("rgb8", pixels, padding), "left"), pixels)


@pytest.mark.parametrize("encoding", sorted(set(ENCODINGS) - {"uyvy", "yuyv"}))
def test_conversions_agree_with_cv_bridge(encoding: str) -> None:
    cv_bridge = pytest.importorskip("cv_bridge")
    channels, channel_type, _ = ENCODINGS[encoding]
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    pixels = np.random.default_rng(1).integers(0, 255, shape).astype(channel_type)
    if channel_type == "u2":
        pixels <<= 8
    image = message(encoding, pixels)
    expected = cv_bridge.CvBridge().imgmsg_to_cv2(image, "rgb8")
    assert np.abs(rgb_image(image, "left").astype(int) - expected).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images_are_decoded(suffix: str) -> None:
    _, data = cv2.imencode(suffix, PLAIN[..., ::-1])
    image = CompressedImage(format=suffix[1:], data=data.tobytes())
    assert np.abs(rgb_image(image, "left").astype(int) - PLAIN).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_compressed_image_is_refused(suffix: str, kept: float) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (64, 64, 3), np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    image = CompressedImage(format=suffix[1:], data=data[: int(kept * len(data))])
    with pytest.raises(InputError, match=r"/left: .*(ends too early|cannot be decoded)"):
        rgb_image(image, "/left")


def test_a_damaged_png_is_refused() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (64, 64, 3), np.uint8)
    data = bytearray(cv2.imencode(".png", noise)[1].tobytes())
    data[200:300] = bytes(100)
    with pytest.raises(InputError, match=r"/left: .*cannot be decoded"):
        rgb_image(CompressedImage(format="png", data=bytes(data)), "/left")


def test_an_unknown_encoding_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"/left: .*'nv99'.*(rgb8|cv_bridge)"):
        rgb_image(message("nv99", PLAIN), "/left")


def test_truncated_data_say_how_much_is_missing() -> None:
    image = message("rgb8", PLAIN)
    image.data = image.data[:-10]
    with pytest.raises(InputError, match="/left: expected height x step = 288 bytes, found 278"):
        rgb_image(image, "/left")


def test_a_step_shorter_than_a_row_is_refused() -> None:
    image = message("rgb8", PLAIN)
    image.step = WIDTH
    with pytest.raises(
        InputError, match=r"/left: a row of 12 rgb8 pixels takes 36 bytes, .* step 12"
    ):
        rgb_image(image, "/left")


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(InputError, match="/left: the image is empty"):
        rgb_image(Image(encoding="rgb8"), "/left")
