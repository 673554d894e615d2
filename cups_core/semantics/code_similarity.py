"""Log-probabilities of pseudo-classes at every pixel, from codes of cells and centroids.

Depth-guided inference calls it per view. Interpolation is linear, so the products with the
centroids are taken once per cell and interpolated, never the codes: the same numbers without
an enlarged code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError

Codes = NDArray[np.float32]

SHARPNESS = 2.0  # DepthG: logits are twice the cosine
_TINY = np.float32(1e-12)


def log_probabilities(
    codes: Codes, centroids: Codes, height: int, width: int
) -> NDArray[np.float32]:
    """Log-softmax over classes of twice the cosine between each pixel's code and the centroids.

    The code of a pixel is interpolated bilinearly between the cells, whose map spans the pixels
    edge to edge (PyTorch's `align_corners=False`).

    Args:
        codes: float32 (D, h, w).
        centroids: float32 (C, D), any length but zero.
        height: rows of pixels.
        width: columns of pixels.

    Returns:
        float32 (C, height, width).

    Raises:
        InputError: codes and centroids differ in dimension.
    """
    if codes.ndim != 3 or centroids.ndim != 2 or codes.shape[0] != centroids.shape[1]:
        raise InputError(
            f"codes {codes.shape} and centroids {centroids.shape}: expected (D, h, w) and (C, D)"
        )
    unit = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    dimension, rows, columns = codes.shape
    flat = np.ascontiguousarray(codes.reshape(dimension, -1), dtype=np.float32)
    products = (unit.astype(np.float32) @ flat).reshape(-1, rows, columns)
    gram = neighbour_products(flat.reshape(codes.shape))
    result = np.empty((len(centroids), height, width), np.float32)
    _interpolate(products, gram, result)
    return result


def neighbour_products(codes: Codes) -> NDArray[np.float32]:
    """(5, h, w): products of each cell's code with itself and four of its neighbours' codes.

    In order: itself; right; below; below right; and its right neighbour's with the one below it.
    At the last row and column a cell stands in for its missing neighbour.
    """
    right = np.concatenate([codes[:, :, 1:], codes[:, :, -1:]], axis=2)
    below = np.concatenate([codes[:, 1:], codes[:, -1:]], axis=1)
    corner = np.concatenate([below[:, :, 1:], below[:, :, -1:]], axis=2)
    pairs = ((codes, codes), (codes, right), (codes, below), (codes, corner), (right, below))
    return np.stack([np.einsum("dij,dij->ij", a, b) for a, b in pairs])


@kernel
def cell_positions(count: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cell before each pixel, and how far the pixel is on the way to the next cell."""
    first = np.empty(count, np.int64)
    share = np.empty(count, np.float32)
    for pixel in range(count):
        at = min(max((pixel + 0.5) * cells / count - 0.5, 0.0), cells - 1.0)
        first[pixel] = int(at)
        share[pixel] = at - first[pixel]
    return first, share


@kernel
def _exponential(value: float) -> float:
    """e to a value within +-2 to a relative 1e-6: a polynomial, so that loops become vectors."""
    x = value * np.float32(0.25)
    p: float = np.float32(1 / 5040)
    p = p * x + np.float32(1 / 720)
    p = p * x + np.float32(1 / 120)
    p = p * x + np.float32(1 / 24)
    p = p * x + np.float32(1 / 6)
    p = p * x + np.float32(0.5)
    p = p * x + np.float32(1.0)
    p = p * x + np.float32(1.0)
    p = p * p
    return p * p


@kernel
def _interpolate(
    products: NDArray[np.float32], gram: NDArray[np.float32], result: NDArray[np.float32]
) -> None:
    classes, rows, columns = products.shape
    _, height, width = result.shape
    upper, down = cell_positions(height, rows)
    left, across = cell_positions(width, columns)
    mixed = np.empty(columns + 1, np.float32)
    scale = np.empty(width, np.float32)
    total = np.empty(width, np.float32)
    for y in range(height):
        i, b = upper[y], down[y]
        next_i = min(i + 1, rows - 1)
        inverse_lengths(gram, i, next_i, b, left, across, scale)
        total[:] = 0.0
        for c in range(classes):
            for j in range(columns):
                mixed[j] = products[c, i, j] + b * (products[c, next_i, j] - products[c, i, j])
            mixed[columns] = mixed[columns - 1]
            for x in range(width):
                j = left[x]
                value = (mixed[j] + across[x] * (mixed[j + 1] - mixed[j])) * scale[x]
                result[c, y, x] = value
                total[x] += _exponential(value)
        for x in range(width):
            total[x] = np.log(total[x])
        for c in range(classes):
            for x in range(width):
                result[c, y, x] -= total[x]


@kernel
def inverse_lengths(
    gram: NDArray[np.float32],
    i: int,
    next_i: int,
    b: np.float32,
    left: NDArray[np.int64],
    across: NDArray[np.float32],
    scale: NDArray[np.float32],
) -> None:
    """`SHARPNESS` over the length of each interpolated code of one row, by the Gram terms."""
    columns = gram.shape[2]
    one = np.float32(1.0)
    for x in range(len(left)):
        j, a = left[x], across[x]
        k = min(j + 1, columns - 1)
        w00, w01 = (one - b) * (one - a), (one - b) * a
        w10, w11 = b * (one - a), b * a
        square = (
            w00 * w00 * gram[0, i, j]
            + w01 * w01 * gram[0, i, k]
            + w10 * w10 * gram[0, next_i, j]
            + w11 * w11 * gram[0, next_i, k]
            + 2 * w00 * w01 * gram[1, i, j]
            + 2 * w10 * w11 * gram[1, next_i, j]
            + 2 * w00 * w10 * gram[2, i, j]
            + 2 * w01 * w11 * gram[2, i, k]
            + 2 * w00 * w11 * gram[3, i, j]
            + 2 * w01 * w10 * gram[4, i, j]
        )
        scale[x] = np.float32(SHARPNESS) / np.sqrt(max(square, _TINY))
