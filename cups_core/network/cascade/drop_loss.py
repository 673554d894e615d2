"""DropLoss: regions far from every pseudo-label do not count, for they may be objects without one.

Stage 2 of the training gives it to the losses. Wang et al., "Cut and Learn" (CVPR 2023), with the
boxes of all objects of an image; the reference looks at some of them only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cups_core.network.cascade.boxes import overlap
from cups_core.network.cascade.cascade_loss import StageOutcome
from cups_core.network.cascade.targets import SceneTarget


class DropLoss:
    """Fits `RegionWeights`."""

    def __init__(self, least_overlap: float = 0.4) -> None:
        """Regions count when a label overlaps them more than this, once the stage moved them."""
        self._least_overlap = least_overlap

    def of(self, stage: int, outcome: StageOutcome, targets: Sequence[SceneTarget]) -> Tensor:
        """See `RegionWeights.of`: 1 where a region counts, else 0."""
        moved = outcome.moved.split([len(image.boxes) for image in outcome.regions])
        best = [
            largest_overlap(boxes, target.boxes)
            for boxes, target in zip(moved, targets, strict=True)
        ]
        return (torch.cat(best) > self._least_overlap).float()


def largest_overlap(boxes: Tensor, objects: Tensor) -> Tensor:
    """(R,) of boxes (R, 4) with objects (G, 4); 0 where there is none."""
    if not len(objects):
        return boxes.new_zeros(len(boxes))
    return overlap(boxes, objects).max(1).values
