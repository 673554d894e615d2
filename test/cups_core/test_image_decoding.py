"""Every encoding that cameras record becomes the same picture, and every damage one sentence."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.image_decoding import (
    ENCODINGS,
    SignificantBits,
    as_rgb,
    decode_compressed,
    decode_raw,
)

WIDTH, HEIGHT = 12, 8
RED, GREEN, BLUE = 200, 120, 40
# One colour everywhere, so that a mosaic of it is the same after interpolation.
PLAIN = np.full((HEIGHT, WIDTH, 3), (RED, GREEN, BLUE), np.uint8)
ALPHA = np.zeros((HEIGHT, WIDTH), np.uint8)
GRAY = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
PATTERNS = ("rggb", "bggr", "gbrg", "grbg")
NOISE = np.random.default_rng(2).integers(0, 255, (64, 64, 3), np.uint8)


@dataclass
class Image:
    """The fields of sensor_msgs/Image."""

    height: int
    width: int
    encoding: str
    is_bigendian: Any
    step: int
    data: Any


@dataclass
class CompressedImage:
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: Any


def message(
    encoding: str, pixels: NDArray[np.generic], padding: int = 0, is_bigendian: bool = False
) -> Image:
    """A message whose rows carry `padding` more bytes than the pixels need."""
    if is_bigendian:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return Image(
        pixels.shape[0], pixels.shape[1], encoding, is_bigendian, rows.shape[1], rows.ravel()
    )


def mosaic(pattern: str) -> NDArray[np.uint8]:
    """The Bayer image of the plain picture whose first 2x2 pixels are `pattern`, row by row."""
    values = {"r": RED, "g": GREEN, "b": BLUE}
    tile = np.array([values[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (HEIGHT // 2, WIDTH // 2))


def wide(pixels: NDArray[np.uint8], bits: int = 16) -> NDArray[np.uint16]:
    """The pixels as a camera of that many bits delivers them in 16."""
    return pixels.astype(np.uint16) << (bits - 8)


def yuv(red: int = RED, green: int = GREEN, blue: int = BLUE) -> dict[str, int]:
    """ITU-R BT.601 in video range, as cameras send it."""
    return {
        "y": round(16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256),
        "u": round(128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256),
        "v": round(128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256),
    }


def compressed(form: str, pixels: NDArray[np.generic], suffix: str = ".png") -> CompressedImage:
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return CompressedImage(form, cv2.imencode(suffix, np.ascontiguousarray(stored))[1])


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", PLAIN),
        ("bgr8", PLAIN[..., ::-1]),
        ("8UC3", PLAIN[..., ::-1]),
        ("rgba8", np.dstack([PLAIN, ALPHA])),
        ("bgra8", np.dstack([PLAIN[..., ::-1], ALPHA])),
        ("8UC4", np.dstack([PLAIN[..., ::-1], ALPHA])),
        ("rgb16", wide(PLAIN)),
        ("bgr16", wide(PLAIN[..., ::-1])),
        ("16UC3", wide(PLAIN[..., ::-1])),
        ("rgba16", wide(np.dstack([PLAIN, ALPHA]))),
        ("bgra16", wide(np.dstack([PLAIN[..., ::-1], ALPHA]))),
        ("16UC4", wide(np.dstack([PLAIN[..., ::-1], ALPHA]))),
        *((f"bayer_{pattern}8", mosaic(pattern)) for pattern in PATTERNS),
        *((f"bayer_{pattern}16", wide(mosaic(pattern))) for pattern in PATTERNS),
    ],
)
@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("is_bigendian", [False, True])
def test_color_encodings_give_the_same_picture(
    encoding: str, pixels: NDArray[np.generic], padding: int, is_bigendian: bool
) -> None:
    found = decode_raw(message(encoding, pixels, padding, is_bigendian), "left")
    np.testing.assert_array_equal(found, PLAIN)


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [("mono8", GRAY), ("8UC1", GRAY), ("mono16", wide(GRAY)), ("16UC1", wide(GRAY))],
)
def test_gray_stays_gray(encoding: str, pixels: NDArray[np.generic], is_bigendian: bool) -> None:
    found = decode_raw(message(encoding, pixels, 2, is_bigendian), "left")
    np.testing.assert_array_equal(found, GRAY)
    np.testing.assert_array_equal(as_rgb(found), np.dstack([GRAY] * 3))


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
def test_packed_yuv_keeps_the_color(encoding: str, order: str) -> None:
    pair = np.array([yuv()[letter] for letter in order], np.uint8).reshape(2, 2)
    found = decode_raw(message(encoding, np.tile(pair, (HEIGHT, WIDTH // 2, 1))), "left")
    assert np.abs(found.astype(int) - PLAIN).max() <= 2


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "i420", "nv24"])
def test_planar_yuv_keeps_the_color_of_each_quarter(encoding: str) -> None:
    colors = [(200, 120, 40), (30, 220, 90), (90, 60, 210), (128, 128, 128)]
    quarters = np.array(colors, np.uint8).reshape(2, 2, 3)
    expected = quarters.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)
    planes = np.array([[list(yuv(*pixel).values()) for pixel in row] for row in expected.tolist()])
    y, u, v = np.moveaxis(planes.astype(np.uint8), -1, 0)
    small_u, small_v = u[::2, ::2], v[::2, ::2]
    parts = {
        "nv12": [y, np.dstack([small_u, small_v])],
        "nv21": [y, np.dstack([small_v, small_u])],
        "i420": [y, small_u, small_v],
        "nv24": [y, np.dstack([u, v])],
    }[encoding]
    data = np.concatenate([part.ravel() for part in parts])
    found = decode_raw(Image(HEIGHT, WIDTH, encoding, 0, WIDTH, data), "left")
    assert np.abs(found.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "bayer_rggb16", "rgb16"])
def test_a_sensor_of_few_bits_gives_the_same_picture(bits: int, encoding: str) -> None:
    plain = {"bayer_rggb16": mosaic("rggb"), "rgb16": PLAIN}.get(encoding, GRAY)
    image = message(encoding, wide(plain, bits))
    expected = decode_raw(message(encoding, wide(plain)), "left")
    found = SignificantBits()
    found.look(image, "left")
    assert found.value == bits
    np.testing.assert_array_equal(decode_raw(image, "left", found.value), expected)


def test_the_significant_bits_are_those_of_the_brightest_picture_of_both_cameras() -> None:
    found = SignificantBits()
    found.look(message("mono8", GRAY), "left")
    assert found.value == 16
    for brightest, bits in ((700, 10), (3000, 12), (90, 12)):
        dark = np.zeros((HEIGHT, WIDTH), np.uint16)
        dark[1, 1] = brightest
        found.look(message("mono16", dark, is_bigendian=True), "right")
        assert found.value == bits


def test_given_significant_bits_stay() -> None:
    given_bits = SignificantBits(12)
    given_bits.look(message("mono16", wide(GRAY, 16)), "left")
    assert given_bits.value == 12
    # What is brighter than the sensor can be saturates, it does not wrap around.
    assert decode_raw(message("mono16", np.full((2, 2), 5000, np.uint16)), "left", 12).min() == 255
    with pytest.raises(InputError, match="expected 0 .* or 8 to 16, found 4"):
        SignificantBits(4)


@pytest.mark.parametrize("encoding", ["rgb8", "mono8"])
def test_what_needs_no_conversion_is_a_view_of_the_message(encoding: str) -> None:
    image = message(encoding, PLAIN if encoding == "rgb8" else GRAY)
    assert np.shares_memory(decode_raw(image, "left"), image.data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: array("B", data)])
def test_data_may_be_any_buffer(kind: Any) -> None:
    image = message("bgr8", PLAIN[..., ::-1])
    image.data = kind(image.data.tobytes())
    np.testing.assert_array_equal(decode_raw(image, "left"), PLAIN)


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 9),
    st.sampled_from(["rgb8", "mono8", "mono16", "bgra8"]),
    st.booleans(),
)
def test_any_size_and_step_survives(
    width: int, height: int, padding: int, encoding: str, is_bigendian: bool
) -> None:
    kind = ENCODINGS[encoding]
    rng = np.random.default_rng(width * height)
    plain = rng.integers(0, 255, (height, width, kind.channels), np.uint8)
    stored = wide(plain) if kind.channel_type == "u2" else plain
    image = message(encoding, stored, padding // stored.itemsize * stored.itemsize, is_bigendian)
    expected = {"mono8": plain[..., 0], "mono16": plain[..., 0], "bgra8": plain[..., 2::-1]}
    np.testing.assert_array_equal(decode_raw(image, "left"), expected.get(encoding, plain))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(2, 2), (7, 5), (3, 8)])
def test_a_mosaic_of_odd_size_keeps_its_size(pattern: str, size: tuple[int, int]) -> None:
    image = message(f"bayer_{pattern}8", np.full(size, 90, np.uint8))
    assert decode_raw(image, "left").shape == (*size, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_color_is_decoded(suffix: str) -> None:
    found = decode_compressed(compressed(suffix[1:], PLAIN, suffix), "left")
    assert np.abs(found.astype(int) - PLAIN).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_gray_stays_gray(suffix: str) -> None:
    smooth = np.full((HEIGHT, WIDTH), 77, np.uint8)
    found = decode_compressed(compressed("mono8; jpeg compressed ", smooth, suffix), "left")
    np.testing.assert_array_equal(found, smooth)


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        ("bgr8; png compressed bgr8", PLAIN),
        ("rgb8; png compressed bgr8", PLAIN),
        # As the first publishers wrote it: the red channel where decoders expect the blue one.
        ("rgb8; png compressed rgb8", PLAIN[..., ::-1]),
        ("bgra8; png compressed bgr8", np.dstack([ALPHA, PLAIN])),
        *((f"bayer_{pattern}8; png compressed ", mosaic(pattern)) for pattern in PATTERNS),
        *((f"bayer_{pattern}16; png compressed", wide(mosaic(pattern))) for pattern in PATTERNS),
        ("rgb16; png compressed bgr16", wide(PLAIN)),
        ("png", PLAIN),
        ("", PLAIN),
    ],
)
def test_the_format_says_what_was_compressed(form: str, stored: NDArray[np.generic]) -> None:
    np.testing.assert_array_equal(decode_compressed(compressed(form, stored), "left"), PLAIN)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_16_bit_png_of_few_bits_gives_the_same_picture(bits: int) -> None:
    image = compressed("mono16; png compressed ", wide(GRAY, bits))
    found = SignificantBits()
    found.look(image, "left")
    assert found.value == bits
    np.testing.assert_array_equal(decode_compressed(image, "left", found.value), GRAY)


def test_an_orientation_tag_does_not_turn_the_picture() -> None:
    data = cv2.imencode(".jpg", NOISE[:32])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    tagged = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (64, 32, 3)
    assert decode_compressed(CompressedImage("jpeg", tagged), "left").shape == (32, 64, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_compressed_image_is_refused(suffix: str, kept: float) -> None:
    data = cv2.imencode(suffix, NOISE)[1].tobytes()
    image = CompressedImage(suffix[1:], data[: int(kept * len(data))])
    with pytest.raises(InputError, match=r"/left: .*(ends too early|cannot be decoded)"):
        decode_compressed(image, "/left")


@pytest.mark.parametrize("zeros", [1, 63, 5000])
def test_a_jpeg_that_its_camera_filled_up_with_zeros_is_whole(zeros: int) -> None:
    data = cv2.imencode(".jpg", NOISE)[1].tobytes()
    expected = decode_compressed(CompressedImage("jpeg", data), "left")
    found = decode_compressed(CompressedImage("jpeg", data + bytes(zeros)), "left")
    np.testing.assert_array_equal(found, expected)


def test_a_damaged_png_is_refused() -> None:
    data = bytearray(cv2.imencode(".png", NOISE)[1].tobytes())
    data[200:300] = bytes(100)
    with pytest.raises(InputError, match=r"/left: .*cannot be decoded"):
        decode_compressed(CompressedImage("png", bytes(data)), "/left")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("16UC1; compressedDepth png", "/left: expected a picture, found a depth image"),
        ("32FC1; compressedDepth", "/left: expected a picture, found a depth image"),
        ("h264", "/left: expected a picture, found a piece of video"),
    ],
)
def test_what_is_no_picture_is_refused(form: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        decode_compressed(compressed(form, wide(GRAY)), "/left")


@pytest.mark.parametrize("encoding", ["nv99", "8UC2", "32FC1", ""])
def test_an_unknown_encoding_names_the_known_ones(encoding: str) -> None:
    with pytest.raises(InputError, match=f"/left: unknown encoding '{encoding}'.*rgb8.*nv24"):
        decode_raw(message(encoding, PLAIN), "/left")


@pytest.mark.parametrize("missing", [10, -10])
def test_too_few_and_too_many_data_say_how_many(missing: int) -> None:
    image = message("rgb8", PLAIN)
    image.data = image.data[:-10] if missing > 0 else np.pad(image.data, (0, 10))
    sentence = f"/left: expected height x step = 288 bytes, found {288 - missing}"
    with pytest.raises(InputError, match=sentence):
        decode_raw(image, "/left")


@pytest.mark.parametrize(("encoding", "rows"), [("nv12", 12), ("i420", 12), ("nv24", 24)])
def test_planes_that_are_not_whole_say_how_many_bytes_are_expected(
    encoding: str, rows: int
) -> None:
    data = np.zeros(rows * WIDTH - 1, np.uint8)
    with pytest.raises(InputError, match=f"/left: expected {rows} rows of 12 bytes"):
        decode_raw(Image(HEIGHT, WIDTH, encoding, 0, WIDTH, data), "/left")


@pytest.mark.parametrize(
    ("encoding", "height", "width"),
    [("nv12", 3, 4), ("nv12", 4, 3), ("i420", 4, 5), ("uyvy", 4, 3), ("yuv422_yuy2", 4, 3)],
)
def test_shared_color_needs_an_even_size(encoding: str, height: int, width: int) -> None:
    image = Image(height, width, encoding, 0, 2 * width, np.zeros(2 * width * height, np.uint8))
    with pytest.raises(InputError, match=f"/left: {encoding} shares its colour .* must be even"):
        decode_raw(image, "/left")


@pytest.mark.parametrize("step", [WIDTH, 0])
def test_a_step_shorter_than_a_row_is_refused(step: int) -> None:
    image = message("rgb8", PLAIN)
    image.step = step
    sentence = rf"/left: a row of 12 rgb8 pixels takes 36 bytes, .* step {step}"
    with pytest.raises(InputError, match=sentence):
        decode_raw(image, "/left")


def test_a_step_that_splits_a_sample_is_refused() -> None:
    image = message("mono16", wide(GRAY), padding=1)
    with pytest.raises(InputError, match=r"/left: a row .* step 25"):
        decode_raw(image, "/left")


@pytest.mark.parametrize("encoding", ["rgb8", "nv12"])
def test_an_empty_image_is_refused(encoding: str) -> None:
    with pytest.raises(InputError, match="/left: the image is empty"):
        decode_raw(Image(0, 0, encoding, 0, 0, b""), "/left")
