"""Fits pseudo-classes to features that need no weights: whitening, then cosine k-means.

`cups fit-semantics --features weight-free` runs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.motion.estimators import DisparityEstimator
from cups_core.semantics.appearance import describe
from cups_core.semantics.clustering import Clustering, ClusteringSettings, cluster_codes
from cups_core.semantics.surface_geometry import view_scene
from cups_core.semantics.weight_free_codes import WeightFreeCodes, WeightFreeSettings

# Cells of one frame are much alike; more of them bring time and no knowledge.
CELLS_PER_FRAME = 4000


@dataclass(frozen=True, eq=False)
class WeightFreeFit:
    """An extractor and the clustering of its codes."""

    extractor: WeightFreeCodes
    clustering: Clustering


def fit_weight_free(
    frames: Iterable[StereoFrame],
    estimator: DisparityEstimator,
    features: WeightFreeSettings,
    clustering: ClusteringSettings,
) -> WeightFreeFit:
    """Whitens the features of the frames' cells and clusters the codes.

    Args:
        frames: of any drives and sizes.
        estimator: finds the disparity that geometry comes from.
        features: size of the cells, weights of the parts.
        clustering: number of pseudo-classes; its seed also chooses the cells.

    Raises:
        InputError: there are too few frames for so many classes.
    """
    random = np.random.default_rng(clustering.seed)
    cell = features.cell_px
    samples = []
    for frame in frames:
        disparity, _ = estimator.disparities(frame.left, frame.right)
        height, width = (side // cell for side in frame.rig.shape)
        view = view_scene(frame, disparity).crop(0, 0, width * cell, height * cell)
        cells = describe(view, cell).reshape(height * width, -1)
        samples.append(cells[_some(len(cells), CELLS_PER_FRAME, random)])
    if not samples:
        raise InputError("weight-free fit: expected frames, found none")
    sample = np.concatenate(samples)
    extractor = WeightFreeCodes.fitted(sample, features)
    codes = np.asarray((sample - extractor.mean) @ extractor.transform, np.float32)
    return WeightFreeFit(extractor, cluster_codes(codes, clustering))


def _some(total: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """At most `count` of 0 to total - 1, ascending."""
    return np.sort(random.permutation(total)[:count])
