"""Region proposal network: where in the image something may be, whatever it is.

The cascade looks at its proposals; `region_proposal_loss` trains it. Ren et al., "Faster R-CNN"
(NeurIPS 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cups_core.network.cascade.anchors import ASPECT_RATIOS, anchors_of
from cups_core.network.cascade.boxes import Weights, clipped, decoded, is_extended
from cups_core.network.cascade.feature_pyramid import CHANNELS
from cups_core.network.cascade.suppression import suppressed

DELTA_WEIGHTS: Weights = (1.0, 1.0, 1.0, 1.0)
OVERLAP = 0.65


@dataclass(frozen=True)
class ProposalCounts:
    """How many proposals there are.

    Attributes:
        per_level: of each pyramid level, before suppression.
        in_all: of each image, after it.
    """

    per_level: int
    in_all: int


INFERENCE = ProposalCounts(1000, 1000)
TRAINING = ProposalCounts(2000, 4000)


@dataclass(frozen=True, eq=False)
class AnchorPredictions:
    """What the network says of every anchor; levels one after the other.

    Attributes:
        anchors: float32 (A, 4).
        logits: (B, A), whether there is something.
        deltas: (B, A, 4), how the anchor must change to fit it.
        level_sizes: number of anchors of each level.
    """

    anchors: Tensor
    logits: Tensor
    deltas: Tensor
    level_sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Proposals:
    """Of one image, best first.

    Attributes:
        boxes: (P, 4), within the image.
        logits: (P,).
    """

    boxes: Tensor
    logits: Tensor


class ProposalHead(nn.Module):
    """One 3x3 convolution and two 1x1 ones, the same for every level."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.objectness_logits = nn.Conv2d(CHANNELS, len(ASPECT_RATIOS), 1)
        self.anchor_deltas = nn.Conv2d(CHANNELS, 4 * len(ASPECT_RATIOS), 1)
        for layer in (self.conv, self.objectness_logits, self.anchor_deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """One level (B, 256, h, w) to logits (B, h * w * 3) and deltas (B, h * w * 3, 4)."""
        inside = torch.relu(self.conv(features))
        logits = self.objectness_logits(inside).permute(0, 2, 3, 1).flatten(1)
        deltas = self.anchor_deltas(inside).permute(0, 2, 3, 1)
        return logits, deltas.reshape(len(deltas), -1, 4)


class RegionProposals(nn.Module):
    """The network.

    Attributes:
        rpn_head: its layers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rpn_head = ProposalHead()

    def forward(self, features: Sequence[Tensor]) -> AnchorPredictions:
        """What it says of the anchors of p2 ... p6."""
        logits, deltas = zip(*(self.rpn_head(level) for level in features), strict=True)
        return AnchorPredictions(
            torch.cat(anchors_of(features)),
            torch.cat(logits, 1).float(),
            torch.cat(deltas, 1).float(),
            tuple(level.shape[1] for level in logits),
        )


@torch.no_grad()
def propose(
    said: AnchorPredictions, sizes: Sequence[tuple[int, int]], counts: ProposalCounts
) -> list[Proposals]:
    """The best boxes of each image, (height, width) of which is in `sizes`."""
    return [
        _of_image(said, logits, deltas, size, counts)
        for logits, deltas, size in zip(said.logits, said.deltas, sizes, strict=True)
    ]


def _of_image(
    said: AnchorPredictions,
    logits: Tensor,
    deltas: Tensor,
    size: tuple[int, int],
    counts: ProposalCounts,
) -> Proposals:
    best, level_of = [], []
    start = 0
    for number, level in enumerate(logits.split(said.level_sizes)):
        chosen = level.topk(min(counts.per_level, len(level))).indices
        best.append(start + chosen)
        level_of.append(torch.full_like(chosen, number))
        start += len(level)
    index, levels = torch.cat(best), torch.cat(level_of)
    boxes = clipped(decoded(said.anchors[index], deltas[index], DELTA_WEIGHTS), size)
    inside = is_extended(boxes)
    boxes, scores = boxes[inside], logits[index][inside]
    kept = suppressed(boxes, scores, levels[inside], OVERLAP)[: counts.in_all]
    return Proposals(boxes[kept], scores[kept])
