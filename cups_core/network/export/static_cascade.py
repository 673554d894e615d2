"""The panoptic cascade as one graph in which every tensor has a fixed size; `onnx_graph` writes it.

It has the eager network's own layers and gives the same detections, as long as only scores of at
least one half count: a mean of probabilities above that belongs to the best class alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cups_core.network.cascade import box_head, mask_head
from cups_core.network.cascade.boxes import clipped, decoded, is_extended
from cups_core.network.cascade.cascade_head import DELTA_WEIGHTS, DETECTIONS, OVERLAP
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.export.feature_atlas import FeatureAtlas
from cups_core.network.export.static_proposals import StaticProposals
from cups_core.network.export.static_suppression import staying


class StaticScene(NamedTuple):
    """What the graph gives, in the order of its outputs.

    Attributes:
        boxes: (100, 4), pixels of the input.
        scores: (100,), 0 where a row is not used.
        labels: int32 (100,), number among the things.
        masks: (100, 28, 28), probabilities.
        semantic: (1, stuffs + 1, H / 4, W / 4), logits.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor
    semantic: Tensor


class StaticCascade(nn.Module):
    """A cascade for images of one size.

    Args:
        network: in evaluation mode; its layers are used, and changed by what changes them.
        size: height and width, multiples of 32.
        proposals: regions that the three stages look at, at least 100.
        is_half: convolutions and fully connected layers compute in 16 bits. Boxes, suppression and
            probabilities stay in 32: a pixel of 1024 has no half in 16 bits.
    """

    def __init__(
        self,
        network: PanopticCascade,
        size: tuple[int, int],
        proposals: int,
        is_half: bool = False,
    ) -> None:
        super().__init__()
        self._network = network.half() if is_half else network
        self._dtype = torch.float16 if is_half else torch.float32
        self._proposals = StaticProposals(network.proposal_generator, size, proposals)
        self._size = size

    def forward(self, image: Tensor) -> StaticScene:
        """What is in a normalised image (1, 3, H, W)."""
        features = self._network.backbone(image.to(self._dtype))
        semantic = self._network.sem_seg_head.coarse(features)
        atlas = FeatureAtlas(features)
        boxes, scores, labels = self._detect(atlas, *self._proposals(features))
        seen = atlas.pooled(boxes, mask_head.CELLS).to(self._dtype)
        masks = self._network.roi_heads.mask_head(seen, labels).sigmoid()
        return StaticScene(boxes, scores, labels.int(), masks, semantic)

    def _detect(
        self, atlas: FeatureAtlas, boxes: Tensor, is_found: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        total = torch.zeros_like(boxes[:, :1])
        for stage, weights in enumerate(DELTA_WEIGHTS):
            features = atlas.pooled(boxes, box_head.CELLS).to(self._dtype)
            said = self._network.roi_heads.look(stage, features)
            boxes = clipped(decoded(boxes, said.deltas, weights), self._size)
            total = total + said.logits.softmax(1)
        mean = total / len(DELTA_WEIGHTS)
        scores, labels = mean[:, :-1].max(1)
        order = (scores * is_found.float()).topk(len(boxes))
        boxes, labels = boxes[order.indices], labels[order.indices]
        is_kept = staying(boxes, OVERLAP, labels)
        best = (order.values * is_kept.float()).topk(DETECTIONS)
        boxes = boxes[best.indices]
        # As in detectron2: an empty box takes the place of a detection.
        return boxes, best.values * is_extended(boxes).float(), labels[best.indices]
