"""Depth-guided inference (CUPS): near surfaces are read at half size, far ones in windows.

`cups label` calls it per frame with any code extractor; the ablation switches the guidance off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.semantics.code_similarity import log_probabilities
from cups_core.semantics.scene_view import CodeExtractor, SceneView
from cups_core.settings import setting

LogProbabilities = NDArray[np.float32]

# Without depth nothing speaks for either resolution. The reference takes depth 0 there, that is,
# the low resolution alone.
SHARE_WITHOUT_DEPTH = np.float32(0.5)


@dataclass(frozen=True)
class InferenceSettings:
    """How a classifier reads frames."""

    depth_guidance: bool = setting(
        True, "mix in the frame at half size where surfaces are near; off = windows alone"
    )
    half_size: bool = setting(
        False, "work on frames at half their size: a quarter of the time, coarser outlines"
    )


def semantic_log_probabilities(
    view: SceneView,
    extractor: CodeExtractor,
    centroids: NDArray[np.float32],
    depth_guidance: bool = True,
) -> LogProbabilities:
    """Log-probability of each pseudo-class at each pixel of a frame.

    Args:
        view: the whole frame.
        extractor: makes codes of length D.
        centroids: float32 (C, D).
        depth_guidance: whether the view at half its size is mixed in where surfaces are near.

    Returns:
        float32 (C, H, W).

    Raises:
        InputError: codes and centroids do not fit, or the view lacks what the extractor needs.
    """
    height, width = view.shape
    # Half of the frame must still be a multiple of the cells.
    padded = view.padded(2 * extractor.cell_px)
    high = sliding_log_probabilities(padded, extractor, centroids)
    if depth_guidance:
        low = low_resolution_log_probabilities(padded, extractor, centroids)
        fuse(low, high, low_resolution_share(padded.depth_m))
    return high[:, :height, :width]


def window_corners(height: int, width: int, side: int) -> list[tuple[int, int]]:
    """(left, top) of square windows half a side apart; the last of a row or column is flush."""

    def starts(length: int) -> list[int]:
        return sorted({*range(0, length - side, max(side // 2, 1)), length - side})

    return [(left, top) for top in starts(height) for left in starts(width)]


def sliding_log_probabilities(
    view: SceneView, extractor: CodeExtractor, centroids: NDArray[np.float32]
) -> LogProbabilities:
    """High-resolution branch: windows of half the height, averaged log-probabilities.

    An extractor whose codes are local gives the same in one pass over the view.

    Args:
        view: its sides are multiples of twice the cell.
        extractor: makes codes of length D.
        centroids: float32 (C, D).

    Returns:
        float32 (C, H, W).
    """
    height, width = view.shape
    if extractor.is_local:
        return log_probabilities(extractor.codes([view])[0], centroids, height, width)
    side = min(height // 2, width)
    corners = window_corners(height, width, side)
    codes = extractor.codes([view.crop(left, top, side, side) for left, top in corners])
    total = np.zeros((len(centroids), height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for (left, top), code in zip(corners, codes, strict=True):
        rows, columns = slice(top, top + side), slice(left, left + side)
        total[:, rows, columns] += log_probabilities(code, centroids, side, side)
        count[rows, columns] += 1.0
    total /= count
    return total


def low_resolution_codes(view: SceneView, extractor: CodeExtractor) -> NDArray[np.float32]:
    """Codes (D, h, w) of the halved view, averaged with those of its mirror image, turned back."""
    half = view.halved()
    straight, mirrored = extractor.codes([half, half.mirrored()])
    return np.asarray(0.5 * (straight + mirrored[:, :, ::-1]), np.float32)


def low_resolution_log_probabilities(
    view: SceneView, extractor: CodeExtractor, centroids: NDArray[np.float32]
) -> LogProbabilities:
    """Low-resolution branch: the whole view at half its size; float32 (C, H, W)."""
    return log_probabilities(low_resolution_codes(view, extractor), centroids, *view.shape)


def low_resolution_share(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight 1 / (Z + 1) of the low resolution, as in CUPS; one half where depth is unknown (NaN).

    Args:
        depth_m: metres, not negative.

    Returns:
        float32 of the same shape, 0 to 1.
    """
    share: NDArray[np.float32] = np.float32(1.0) / (depth_m + np.float32(1.0))
    share[np.isnan(share)] = SHARE_WITHOUT_DEPTH
    return share


def fuse(low: LogProbabilities, high: LogProbabilities, share: NDArray[np.float32]) -> None:
    """Replaces `high` by share * low + (1 - share) * high.

    Args:
        low: float32 (C, H, W).
        high: float32 (C, H, W), changed.
        share: float32 (H, W), weight of `low`.

    Raises:
        InputError: shapes differ.
    """
    if low.shape != high.shape or share.shape != high.shape[1:]:
        raise InputError(
            f"fusion: expected two maps of one shape and a share of their size, found {low.shape}, "
            f"{high.shape} and {share.shape}"
        )
    high += share * (low - high)


@kernel
def most_probable(log_probability: LogProbabilities) -> NDArray[np.uint8]:
    """uint8 (H, W): number of the class with the largest value of (C, H, W), C at most 255."""
    classes, height, width = log_probability.shape
    winner = np.zeros((height, width), np.uint8)
    best = np.empty(width, np.float32)
    for y in range(height):
        best[:] = log_probability[0, y]
        for c in range(1, classes):
            for x in range(width):
                value = log_probability[c, y, x]
                if value > best[x]:
                    best[x] = value
                    winner[y, x] = c
    return winner
