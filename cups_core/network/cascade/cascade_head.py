"""Three stages that look at a region, each at where the one before has moved it, and the masks.

The network asks it for detections; `cascade_loss` and `mask_loss` train it. Cai and Vasconcelos,
"Cascade R-CNN" (CVPR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cups_core.network.cascade import box_head, mask_head
from cups_core.network.cascade.box_head import BoxHead, BoxPrediction, BoxPredictor
from cups_core.network.cascade.boxes import Weights, clipped, decoded, is_extended
from cups_core.network.cascade.mask_head import MaskHead
from cups_core.network.cascade.roi_pooling import pooled
from cups_core.network.cascade.suppression import suppressed

DELTA_WEIGHTS: tuple[Weights, ...] = (
    (10.0, 10.0, 5.0, 5.0),
    (20.0, 20.0, 10.0, 10.0),
    (30.0, 30.0, 15.0, 15.0),
)
STAGES = len(DELTA_WEIGHTS)
OVERLAP = 0.5
DETECTIONS = 100


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """Detections of one image, best first, in pixels of that image.

    Attributes:
        boxes: (N, 4).
        scores: (N,), 0 to 1.
        classes: int64 (N,), 0 to things - 1.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor


class CascadeHead(nn.Module):
    """The layers of all stages.

    Attributes:
        box_head, box_predictor: one per stage.
        mask_head: the masks.
    """

    def __init__(self, things: int) -> None:
        super().__init__()
        self.box_head = nn.ModuleList(BoxHead() for _ in range(STAGES))
        self.box_predictor = nn.ModuleList(BoxPredictor(things) for _ in range(STAGES))
        self.mask_head = MaskHead(things)

    def look(self, stage: int, features: Tensor) -> BoxPrediction:
        """What a stage says of regions with the features (R, 256, 7, 7)."""
        return self.box_predictor[stage](self.box_head[stage](features))

    def detect(
        self,
        features: Sequence[Tensor],
        proposals: Sequence[Tensor],
        sizes: Sequence[tuple[int, int]],
        least_score: float,
    ) -> list[FoundBoxes]:
        """What is in the proposals, boxes (P, 4) of each image of (height, width).

        Args:
            features: p2 ... p6.
            proposals: within their image.
            sizes: of each image.
            least_score: detections are above it.
        """
        boxes = list(proposals)
        counts = [len(box) for box in boxes]
        probabilities = []
        for stage, weights in enumerate(DELTA_WEIGHTS):
            if stage:
                boxes = [clipped(box, size) for box, size in zip(boxes, sizes, strict=True)]
            said = self.look(stage, pooled(features, boxes, box_head.CELLS))
            boxes = list(decoded(torch.cat(boxes), said.deltas, weights).split(counts))
            probabilities.append(said.logits.softmax(1))
        mean = torch.stack(probabilities).mean(0)
        return [
            _best(clipped(box, size), scores[:, :-1], least_score)
            for box, scores, size in zip(boxes, mean.split(counts), sizes, strict=True)
        ]

    def masks(self, features: Sequence[Tensor], found: Sequence[FoundBoxes]) -> list[Tensor]:
        """Probabilities (N, 28, 28) within each box of each image, of its own class."""
        seen = pooled(features, [image.boxes for image in found], mask_head.CELLS)
        classes = torch.cat([image.classes for image in found])
        masks = self.mask_head(seen, classes).sigmoid()
        return list(masks.split([len(image.boxes) for image in found]))


def _best(boxes: Tensor, scores: Tensor, least_score: float) -> FoundBoxes:
    """Of (P, 4) boxes with scores (P, things) the best, without those that a better one covers."""
    row, label = torch.nonzero(scores > least_score, as_tuple=True)
    boxes, score = boxes[row], scores[row, label]
    kept = suppressed(boxes, score, label, OVERLAP)[:DETECTIONS]
    # Only now, as in detectron2: an empty box takes the place of a detection.
    kept = kept[is_extended(boxes[kept])]
    return FoundBoxes(boxes[kept], score[kept], label[kept])
