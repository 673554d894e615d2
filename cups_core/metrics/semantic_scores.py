"""Mean IoU and pixel accuracy of named pseudo-classes, averaged from a confusion table.

The benchmarks and the evaluation quote them beside panoptic quality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SemanticScores:
    """How well classes are told apart where both sides say something.

    Attributes:
        iou: float64 (classes,), NaN where a class is in neither the prediction nor the truth.
        accuracy: share of the pixels with the right class, NaN without any pixel.
    """

    iou: NDArray[np.float64]
    accuracy: float

    @property
    def mean_iou(self) -> float:
        """Over the classes that occur; NaN without any."""
        known = self.iou[~np.isnan(self.iou)]
        return float(known.mean()) if known.size else float("nan")


def semantic_scores(
    confusion: NDArray[np.int64],
    names: NDArray[np.integer],
    averaged: NDArray[np.bool_] | None = None,
) -> SemanticScores:
    """Scores of a prediction whose pseudo-classes carry these names.

    Args:
        confusion: int64 (clusters, classes), shared pixels.
        names: integer (clusters,), the class of each pseudo-class.
        averaged: bool (classes,), the classes that enter the mean; None = all.
    """
    named = np.zeros((confusion.shape[1],) * 2, np.int64)
    np.add.at(named, names, confusion)
    right = named.diagonal()
    union = named.sum(axis=0) + named.sum(axis=1) - right
    iou = np.full(len(named), np.nan)
    shown = union > 0 if averaged is None else (union > 0) & averaged
    iou[shown] = right[shown] / union[shown]
    pixels = named.sum()
    return SemanticScores(iou, float(right.sum() / pixels) if pixels else float("nan"))
