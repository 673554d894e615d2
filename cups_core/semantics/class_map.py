"""The most probable class of each pixel where nobody asks how probable: an image in, a map out.

`cups label` takes it instead of depth-guided inference where no random field follows. The winner
needs neither exponentials nor a probability of every class at every pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.semantics.code_similarity import (
    Codes,
    cell_positions,
    inverse_lengths,
    neighbour_products,
)
from cups_core.semantics.depth_guided import (
    InferenceSettings,
    low_resolution_codes,
    low_resolution_share,
)
from cups_core.semantics.scene_view import CodeExtractor, SceneView

Map = NDArray[np.float32]


def class_map(
    view: SceneView,
    extractor: CodeExtractor,
    centroids: NDArray[np.float32],
    settings: InferenceSettings,
) -> NDArray[np.uint8]:
    """The class that `semantic_log_probabilities` finds most probable, for local extractors.

    Both branches' logarithms differ from their logits by a number that is the same for all
    classes, so the mixed logits have the same winner.

    Args:
        view: the whole frame.
        extractor: makes codes of length D; its codes are local.
        centroids: float32 (C, D), C at most 255.
        settings: whether depth guides.

    Returns:
        uint8 (H, W); of equal classes the first.

    Raises:
        InputError: codes and centroids do not fit, a code is not finite, or codes are not local.
    """
    if not extractor.is_local:
        raise InputError("class map: codes depend on the window; ask for log-probabilities")
    height, width = view.shape
    padded = view.padded(2 * extractor.cell_px)
    high = extractor.codes([padded])[0]
    if settings.depth_guidance:
        low, share = low_resolution_codes(padded, extractor), low_resolution_share(padded.depth_m)
    else:
        low, share = high, np.zeros(padded.shape, np.float32)
    found = np.empty((height, width), np.uint8)
    _winners(*_similarities(high, centroids), *_similarities(low, centroids), share, found)
    return found


def _similarities(codes: Codes, centroids: Codes) -> tuple[Map, Map]:
    """Products (C, h, w) of codes with unit centroids, and those of neighbouring codes."""
    if codes.shape[0] != centroids.shape[1]:
        raise InputError(
            f"codes {codes.shape} and centroids {centroids.shape}: expected (D, h, w) and (C, D)"
        )
    if not np.isfinite(codes).all():
        raise InputError("codes: found NaN or infinity")
    unit = (centroids / np.linalg.norm(centroids, axis=1, keepdims=True)).astype(np.float32)
    flat = np.ascontiguousarray(codes.reshape(len(codes), -1), np.float32)
    products = (unit @ flat).reshape(-1, *codes.shape[1:])
    return products, neighbour_products(flat.reshape(codes.shape))


@kernel
def _winners(
    high: Map, high_gram: Map, low: Map, low_gram: Map, share: Map, found: NDArray[np.uint8]
) -> None:
    height, width = share.shape
    classes = len(high)
    upper, down = cell_positions(height, high.shape[1])
    left, across = cell_positions(width, high.shape[2])
    low_upper, low_down = cell_positions(height, low.shape[1])
    low_left, low_across = cell_positions(width, low.shape[2])
    mixed = np.empty(high.shape[2] + 1, np.float32)
    low_mixed = np.empty(low.shape[2] + 1, np.float32)
    scale, low_scale = np.empty(width, np.float32), np.empty(width, np.float32)
    best = np.empty(width, np.float32)
    for y in range(found.shape[0]):
        i, next_i = upper[y], min(upper[y] + 1, high.shape[1] - 1)
        k, next_k = low_upper[y], min(low_upper[y] + 1, low.shape[1] - 1)
        inverse_lengths(high_gram, i, next_i, down[y], left, across, scale)
        inverse_lengths(low_gram, k, next_k, low_down[y], low_left, low_across, low_scale)
        for x in range(width):
            scale[x] *= np.float32(1.0) - share[y, x]
            low_scale[x] *= share[y, x]
            best[x] = -np.inf
        for c in range(classes):
            for j in range(high.shape[2]):
                mixed[j] = high[c, i, j] + down[y] * (high[c, next_i, j] - high[c, i, j])
            for j in range(low.shape[2]):
                low_mixed[j] = low[c, k, j] + low_down[y] * (low[c, next_k, j] - low[c, k, j])
            mixed[-1], low_mixed[-1] = mixed[-2], low_mixed[-2]
            for x in range(found.shape[1]):
                j, m = left[x], low_left[x]
                value = (mixed[j] + across[x] * (mixed[j + 1] - mixed[j])) * scale[x]
                value += (
                    low_mixed[m] + low_across[x] * (low_mixed[m + 1] - low_mixed[m])
                ) * low_scale[x]
                if value > best[x]:
                    best[x] = value
                    found[y, x] = c
