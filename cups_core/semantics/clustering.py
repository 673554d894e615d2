"""Cosine k-means: pseudo-classes are the directions that codes come in.

`cups fit-semantics` clusters the codes of a sample of frames with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cups_core.errors import InputError
from cups_core.settings import setting

Codes = NDArray[np.float32]

# Restarts are compared on so many codes; the best start then sees all of them.
_TRIAL_CODES = 20_000
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class ClusteringSettings:
    """What decides how many pseudo-classes there are and how well they fit."""

    classes: int = setting(
        27, "pseudo-classes; 54 or 80 split rare things off", minimum=2, maximum=255
    )
    seed: int = setting(0, "of the random starts", minimum=0)
    restarts: int = setting(8, "random starts, of which the best is kept", minimum=1, maximum=100)
    iterations: int = setting(100, "most rounds of one descent", minimum=1, maximum=10_000)


@dataclass(frozen=True, eq=False)
class Clustering:
    """What k-means found.

    Attributes:
        centroids: float32 (C, D), unit length.
        similarity: mean cosine between a code and its centroid.
    """

    centroids: Codes
    similarity: float


def cluster_codes(codes: Codes, settings: ClusteringSettings = ClusteringSettings()) -> Clustering:
    """Spherical k-means (Dhillon and Modha, Machine Learning 2001) with a k-means++ start.

    A centroid that nothing falls to is put where codes are described worst. The same codes and
    settings give the same centroids.

    Args:
        codes: float32 (N, D), any length but zero.
        settings: number of classes, seed and effort.

    Raises:
        InputError: fewer codes than classes, or a code is zero or not finite.
    """
    unit = _normalized(codes)
    count, classes = len(unit), settings.classes
    if count < classes:
        raise InputError(
            f"clustering: {classes} classes need at least as many codes, found {count}: "
            "sample more frames"
        )
    random = np.random.default_rng(settings.seed)
    # The number of BLAS threads changes the last bits of a product, and they the ties.
    with threadpool_limits(1):
        trial = unit[np.sort(random.permutation(count)[: max(_TRIAL_CODES, classes)])]
        starts = [
            _descend(trial, _spread_start(trial, classes, random), settings.iterations)
            for _ in range(settings.restarts)
        ]
        best = max(starts, key=lambda found: found.similarity)
        return _descend(unit, best.centroids, settings.iterations)


def _normalized(codes: Codes) -> Codes:
    length = np.linalg.norm(codes, axis=1, keepdims=True)
    bad = ~(np.isfinite(length[:, 0]) & (length[:, 0] > 0))
    if bad.any():
        raise InputError(
            f"clustering: {bad.sum()} of {len(codes)} codes are zero or not finite, the first is "
            f"code {int(np.argmax(bad))}; a direction is needed of each"
        )
    return np.asarray(codes / length, np.float32)


def _spread_start(unit: Codes, classes: int, random: np.random.Generator) -> Codes:
    """k-means++: each next centroid is drawn in proportion to the distance from those before."""
    chosen = [int(random.integers(len(unit)))]
    distance = np.full(len(unit), np.inf)
    for _ in range(classes - 1):
        distance = np.minimum(distance, np.maximum(1.0 - unit @ unit[chosen[-1]], 0.0))
        reach = np.cumsum(distance)
        # All codes coincide with a centroid: any other will do, empty ones are moved later.
        draw = random.random() * reach[-1]
        chosen.append(min(int(np.searchsorted(reach, draw, side="right")), len(unit) - 1))
    return unit[chosen]


def _assign(unit: Codes, centroids: Codes) -> tuple[NDArray[np.intp], Codes]:
    """Nearest centroid of each code and the cosine to it."""
    nearest = np.empty(len(unit), np.intp)
    cosine = np.empty(len(unit), np.float32)
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        cosines = unit[rows] @ centroids.T
        nearest[rows] = np.argmax(cosines, axis=1)
        cosine[rows] = np.take_along_axis(cosines, nearest[rows, None], axis=1)[:, 0]
    return nearest, cosine


def _descend(unit: Codes, centroids: Codes, iterations: int) -> Clustering:
    before: NDArray[np.intp] | None = None
    for _ in range(iterations):
        nearest, cosine = _assign(unit, centroids)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        centroids = _means(unit, nearest, cosine, len(centroids))
    return Clustering(centroids, float(np.mean(cosine, dtype=np.float64)))


def _means(unit: Codes, nearest: NDArray[np.intp], cosine: Codes, classes: int) -> Codes:
    sums = np.stack(
        [np.bincount(nearest, weights=column, minlength=classes) for column in unit.T], axis=1
    )
    length = np.linalg.norm(sums, axis=1)
    lost = np.flatnonzero((np.bincount(nearest, minlength=classes) == 0) | (length < 1e-9))
    if len(lost):
        worst = np.argsort(cosine, kind="stable")[: len(lost)]
        sums[lost] = unit[worst]
        length[lost] = 1.0
    return np.asarray(sums / length[:, None], np.float32)
