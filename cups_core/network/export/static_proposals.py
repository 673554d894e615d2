"""Region proposals of one image as a fixed number of rows; the static cascade begins with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cups_core.network.cascade.anchors import anchors_of
from cups_core.network.cascade.boxes import clipped, decoded, is_extended
from cups_core.network.cascade.feature_pyramid import STRIDES
from cups_core.network.cascade.region_proposals import (
    DELTA_WEIGHTS,
    INFERENCE,
    OVERLAP,
    RegionProposals,
)
from cups_core.network.export.static_suppression import staying

# Below every logit that a network gives, and within the range of 16 bits.
NOTHING = -60000.0


class StaticProposals(nn.Module):
    """Proposals whose number is fixed.

    Args:
        network: whose layers are used.
        size: height and width of the image, multiples of 32.
        count: of proposals, at most as many as anchors are looked at.
    """

    def __init__(self, network: RegionProposals, size: tuple[int, int], count: int) -> None:
        super().__init__()
        self._head = network.rpn_head
        self._size, self._count = size, count
        maps = [torch.empty(1, 1, -(-size[0] // s), -(-size[1] // s)) for s in STRIDES]
        self._levels = len(maps)
        for number, anchors in enumerate(anchors_of(maps)):
            self.register_buffer(f"anchors{number}", anchors, persistent=False)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes of p2 ... p6 and whether they are any.

        Returns:
            (count, 4), best first, and bool (count,): where False the box is all zero.
        """
        found = [self._of_level(number, features[number]) for number in range(self._levels)]
        boxes, scores = (torch.cat(parts) for parts in zip(*found, strict=True))
        best, index = scores.topk(self._count)
        is_found = best > NOTHING
        return boxes[index] * is_found[:, None].float(), is_found

    def _of_level(self, number: int, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, deltas = self._head(features)
        scores, index = logits[0].float().topk(min(INFERENCE.per_level, logits.shape[1]))
        anchors = self.get_buffer(f"anchors{number}")[index]
        boxes = clipped(decoded(anchors, deltas[0].float()[index], DELTA_WEIGHTS), self._size)
        is_kept = is_extended(boxes) & staying(boxes, OVERLAP)
        return boxes, torch.where(is_kept, scores, torch.full_like(scores, NOTHING))
