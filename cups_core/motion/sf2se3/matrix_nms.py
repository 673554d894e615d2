"""Matrix non-maximum suppression of masks (Wang et al., SOLOv2, NeurIPS 2020).

The ensemble thins out the masks that several runs found of one object with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIGMA = 2.0


def decay_scores(
    masks: NDArray[np.bool_], scores: NDArray[np.floating], kernel: str = "gaussian"
) -> NDArray[np.float64]:
    """Scores lowered by how much each mask overlaps better ones, themselves not overlapped.

    Args:
        masks: bool (M, P), one row of pixels per mask.
        scores: (M,), not negative.
        kernel: "gaussian" or "linear", how fast overlap lowers a score.

    Returns:
        float64 (M,) in the order of the input.
    """
    order = np.argsort(-scores, kind="stable")
    flat = masks[order].astype(np.float32)
    overlap = (flat @ flat.T).astype(np.float64)
    area = np.diag(overlap)
    iou = np.triu(overlap / np.maximum(area[:, None] + area[None] - overlap, 1.0), 1)
    # By how much the suppressing mask is suppressed itself.
    compensation = iou.max(0, initial=0.0)[:, None]
    if kernel == "gaussian":
        decay = np.exp(-SIGMA * (iou**2 - compensation**2))
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            decay = np.where(compensation < 1, (1.0 - iou) / (1.0 - compensation), np.inf)
    decayed = np.empty(len(scores))
    decayed[order] = scores[order] * decay.min(0, initial=np.inf)
    return decayed
