"""Matrix non-maximum suppression of masks (Wang et al., SOLOv2, NeurIPS 2020).

The ensemble thins out the masks that several runs found of one object with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIGMA = 2.0


def mask_overlap(masks: NDArray[np.bool_], area: NDArray[np.floating]) -> Floats:
    """Intersection over union of each pair of masks.

    Args:
        masks: bool (M, P), one row of patches or pixels per mask.
        area: (P,), their sizes.

    Returns:
        float64 (M, M).
    """
    flat = masks.astype(np.float64)
    shared: Floats = (flat * area) @ flat.T
    size = np.diag(shared)
    return shared / np.maximum(size[:, None] + size[None] - shared, 1e-9)


def decay_scores(overlap: Floats, scores: NDArray[np.floating], decay: str) -> Floats:
    """Scores lowered by how much a mask overlaps better ones that are not overlapped themselves.

    Args:
        overlap: (M, M), intersection over union.
        scores: (M,), not negative.
        decay: "gaussian" or "linear", how overlap lowers a score.

    Returns:
        float64 (M,) in the order of the input.
    """
    order = np.argsort(-scores, kind="stable")
    better = np.triu(overlap[np.ix_(order, order)], 1)
    suppressed = better.max(0, initial=0.0)[:, None]
    if decay == "gaussian":
        factor = np.exp(-SIGMA * (better**2 - suppressed**2))
    else:
        # What is suppressed altogether suppresses nothing.
        factor = np.full(better.shape, np.inf)
        np.divide(1.0 - better, 1.0 - suppressed, out=factor, where=suppressed < 1)
    decayed = np.empty(len(scores))
    decayed[order] = scores[order] * factor.min(0, initial=np.inf)
    return decayed
