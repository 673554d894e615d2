"""Dense conditional random field by mean field: labels follow the edges of the image.

The last step of semantics in `cups label`; its messages run between every so-manieth pixel, and the
pixels in between follow where those around them disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.semantics.permutohedral import CORNERS, build_lattice, enclose, find_slot
from cups_core.settings import setting

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_ROUNDS_BETWEEN = 3
_TINY = np.float32(1e-20)


@dataclass(frozen=True)
class MeanFieldSettings:
    """The random field of CUPS (Kraehenbuehl and Koltun, NIPS 2011), and its effort."""

    smooth_px: float = setting(
        1.0, "reach of the kernel that knows no colour, pixels", minimum=0.1, maximum=10.0
    )
    smooth_weight: float = setting(3.0, "its weight", minimum=0.0, maximum=100.0)
    colour_px: float = setting(
        67.0, "reach of the kernel between like colours, pixels", minimum=16.0, maximum=1000.0
    )
    colour_levels: float = setting(3.0, "how like, in levels of 255", minimum=2.0, maximum=255.0)
    colour_weight: float = setting(4.0, "its weight", minimum=0.0, maximum=100.0)
    iterations: int = setting(10, "rounds of messages", minimum=1, maximum=100)
    stride: int = setting(
        3, "messages run between each so-manieth pixel in both directions", minimum=1, maximum=8
    )


class MeanField:
    """Finds the labels that the field of an image with its class probabilities prefers."""

    def __init__(self, settings: MeanFieldSettings = MeanFieldSettings()) -> None:
        self.settings = settings

    def labels(self, log_probability: Floats, image: Image) -> Labels:
        """Most probable class of each pixel.

        Args:
            log_probability: float32 (C, H, W), C at most 255.
            image: uint8 (H, W, 3), RGB.

        Returns:
            uint8 (H, W).

        Raises:
            InputError: shapes or types differ from these.
        """
        _check(log_probability, image)
        chosen = self.settings
        stride = chosen.stride
        field = np.array([1.0 / chosen.colour_px, 1.0 / chosen.colour_levels], np.float32)
        lattice = build_lattice(_positions(image, stride, field))
        unary = _pixel_major(log_probability, stride)
        columns = -(-image.shape[1] // stride)
        reached = lattice.blurred(np.ones_like(unary[:, :1]))
        # Kraehenbuehl and Koltun's symmetric normalization: D^-1/2 K D^-1/2.
        scale = 1.0 / np.sqrt(lattice.sliced(reached) + _TINY)
        taps = _taps(stride / chosen.smooth_px)
        weight = np.float32(chosen.colour_weight)
        belief = np.empty_like(unary)
        _softmax(unary, np.zeros_like(unary), belief)
        for _ in range(chosen.iterations):
            message = weight * scale * lattice.sliced(lattice.blurred(scale * belief))
            _add_smooth(belief, columns, taps, np.float32(chosen.smooth_weight), message)
            _softmax(unary, message, belief)
        winner: Labels = np.argmax(belief, axis=1).astype(np.uint8).reshape(-1, columns)
        if stride == 1:
            return winner
        labels: Labels
        labels, between = _spread(winner, image.shape[0], image.shape[1], stride)
        logits = _logits_between(
            between,
            image,
            field,
            lattice.slots,
            lattice.vertex_at,
            weight * lattice.blurred(scale * belief),
            reached[:, 0],
            log_probability,
        )
        near = _taps(1.0 / chosen.smooth_px)
        for _ in range(_ROUNDS_BETWEEN):
            labels = _voted(between, logits, near, np.float32(chosen.smooth_weight), labels)
        return labels


def _check(log_probability: Floats, image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"image: expected uint8 (H, W, 3), found {image.dtype} {image.shape}: the field reads "
            "the picture as the camera gave it"
        )
    if log_probability.ndim != 3 or log_probability.shape[1:] != image.shape[:2]:
        raise InputError(
            f"log-probabilities: expected (C, {image.shape[0]}, {image.shape[1]}) as the image "
            f"has, found {log_probability.shape}"
        )
    if not 1 <= len(log_probability) <= 255:
        raise InputError(
            f"log-probabilities: expected 1 to 255 classes, found {len(log_probability)}"
        )


def _taps(step: float) -> Floats:
    """One side of a Gaussian whose points are `step` standard deviations apart, from its middle."""
    taps = np.exp(-0.5 * (np.arange(32) * step) ** 2)
    return np.asarray(taps[taps > 0.01], np.float32)


@kernel
def _position(image: Image, y: int, x: int, field: Floats, out: Floats) -> None:
    out[0], out[1] = x * field[0], y * field[0]
    for channel in range(3):
        out[2 + channel] = image[y, x, channel] * field[1]


@kernel
def _positions(image: Image, stride: int, field: Floats) -> Floats:
    rows, columns = -(-image.shape[0] // stride), -(-image.shape[1] // stride)
    result = np.empty((rows * columns, 5), np.float32)
    for i in range(rows):
        for j in range(columns):
            _position(image, i * stride, j * stride, field, result[i * columns + j])
    return result


@kernel
def _pixel_major(log_probability: Floats, stride: int) -> Floats:
    classes, height, width = log_probability.shape
    rows, columns = -(-height // stride), -(-width // stride)
    result = np.empty((rows * columns, classes), np.float32)
    for i in range(rows):
        for c in range(classes):
            for j in range(columns):
                result[i * columns + j, c] = log_probability[c, i * stride, j * stride]
    return result


@kernel
def _softmax(unary: Floats, message: Floats, belief: Floats) -> None:
    count, classes = unary.shape
    smallest = np.float32(-32.0)
    for n in range(count):
        target = belief[n]
        largest = np.float32(-np.inf)
        for c in range(classes):
            target[c] = unary[n, c] + message[n, c]
            largest = max(largest, target[c])
        total = np.float32(0.0)
        for c in range(classes):
            # exp(x) = exp(x / 64)^64: a polynomial, so that the loop becomes vectors.
            x = max(target[c] - largest, smallest) * np.float32(1 / 64)
            p = np.float32(1 / 24) * x + np.float32(1 / 6)
            p = (p * x + np.float32(0.5)) * x
            p = (p + np.float32(1.0)) * x + np.float32(1.0)
            for _ in range(6):
                p = p * p
            target[c] = p
            total += p
        for c in range(classes):
            target[c] /= total


@kernel
def _add_smooth(
    belief: Floats, columns: int, taps: Floats, weight: np.float32, message: Floats
) -> None:
    """Adds the Gaussian mean of the beliefs around each point of the grid."""
    count, classes = belief.shape
    rows, reach = count // columns, len(taps) - 1
    for i in range(rows):
        for j in range(columns):
            norm = np.float32(0.0)
            for y in range(max(i - reach, 0), min(i + reach + 1, rows)):
                for x in range(max(j - reach, 0), min(j + reach + 1, columns)):
                    norm += taps[abs(y - i)] * taps[abs(x - j)]
            target = message[i * columns + j]
            for y in range(max(i - reach, 0), min(i + reach + 1, rows)):
                for x in range(max(j - reach, 0), min(j + reach + 1, columns)):
                    w = weight * taps[abs(y - i)] * taps[abs(x - j)] / norm
                    source = belief[y * columns + x]
                    for c in range(classes):
                        target[c] += w * source[c]


@kernel
def _spread(
    winner: Labels, height: int, width: int, stride: int
) -> tuple[Labels, NDArray[np.int32]]:
    """Nearest grid label at each pixel, and (row, column) of those whose grid cell is divided."""
    rows, columns = winner.shape
    labels = np.empty((height, width), np.uint8)
    between = np.empty((height * width, 2), np.int32)
    count = 0
    for y in range(height):
        i = y // stride
        i1 = min(i + 1, rows - 1)
        near_i = i1 if 2 * (y - i * stride) > stride else i
        for x in range(width):
            j = x // stride
            j1 = min(j + 1, columns - 1)
            label = winner[near_i, j1 if 2 * (x - j * stride) > stride else j]
            labels[y, x] = label
            if not winner[i, j] == winner[i, j1] == winner[i1, j] == winner[i1, j1]:
                between[count, 0], between[count, 1] = y, x
                count += 1
    return labels, between[:count].copy()


@kernel
def _logits_between(
    pixels: NDArray[np.int32],
    image: Image,
    field: Floats,
    slots: NDArray[np.int64],
    vertex_at: NDArray[np.int32],
    at_vertices: Floats,
    reached: Floats,
    log_probability: Floats,
) -> Floats:
    """Unary and colour message (n, C) at pixels off the grid, where the grid's lattice knows."""
    classes = len(log_probability)
    result = np.empty((len(pixels), classes), np.float32)
    position = np.empty(5, np.float32)
    key = np.empty(CORNERS, np.int64)
    weight = np.empty(CORNERS, np.float32)
    scratch = np.empty(3 * CORNERS + 1, np.float32)
    rank = np.empty(CORNERS, np.int64)
    message = np.empty(classes, np.float32)
    for n in range(len(pixels)):
        y, x = pixels[n]
        _position(image, y, x, field, position)
        enclose(position, key, weight, scratch, rank)
        message[:] = 0.0
        support = _TINY
        for k in range(CORNERS):
            slot = find_slot(key[k], slots)
            if slots[slot] == key[k]:
                vertex = vertex_at[slot]
                support += weight[k] * reached[vertex]
                for c in range(classes):
                    message[c] += weight[k] * at_vertices[vertex, c]
        scale = np.float32(1.0) / np.sqrt(support)
        for c in range(classes):
            result[n, c] = log_probability[c, y, x] + scale * message[c]
    return result


@kernel
def _voted(
    pixels: NDArray[np.int32], logits: Floats, taps: Floats, weight: np.float32, labels: Labels
) -> Labels:
    """Labels after each of the pixels has heard the labels around it."""
    height, width = labels.shape
    reach = len(taps) - 1
    result: Labels = labels.copy()
    total = np.empty(logits.shape[1], np.float32)
    for n in range(len(pixels)):
        row, column = pixels[n]
        norm = np.float32(0.0)
        for y in range(max(row - reach, 0), min(row + reach + 1, height)):
            for x in range(max(column - reach, 0), min(column + reach + 1, width)):
                norm += taps[abs(y - row)] * taps[abs(x - column)]
        total[:] = logits[n]
        for y in range(max(row - reach, 0), min(row + reach + 1, height)):
            for x in range(max(column - reach, 0), min(column + reach + 1, width)):
                total[labels[y, x]] += weight * taps[abs(y - row)] * taps[abs(x - column)] / norm
        result[row, column] = np.argmax(total)
    return result
