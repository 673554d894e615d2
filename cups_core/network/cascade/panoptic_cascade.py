"""Panoptic Cascade Mask R-CNN: RGB images in, detections with masks and semantic logits out.

Module names are detectron2's, so that its checkpoints and those of CUPS fit: 431 tensors. The torch
backend of inference runs it, `cascade_training` trains it, `benchmark.parity_network` compares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cups_core.network.cascade.cascade_head import CascadeHead, FoundBoxes
from cups_core.network.cascade.feature_pyramid import FeaturePyramid
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.cascade.region_proposals import INFERENCE, RegionProposals, propose
from cups_core.network.cascade.semantic_head import SemanticHead
from cups_core.panoptic_combination import Detections


@dataclass(frozen=True, eq=False)
class Scene:
    """What the network sees in one image.

    Attributes:
        found: boxes, best first.
        masks: probabilities (N, 28, 28) over each box.
        semantic: logits (stuffs + 1, H, W) at the size of the image; channel 0 is every thing.
    """

    found: FoundBoxes
    masks: Tensor
    semantic: Tensor

    def detections(self) -> Detections:
        """The instances as arrays, for the panoptic combination."""
        return Detections(
            self.found.boxes.float().cpu().numpy(),
            self.found.scores.float().cpu().numpy(),
            self.found.classes.cpu().numpy(),
            self.masks.float().cpu().numpy(),
        )


class PanopticCascade(nn.Module):
    """The network.

    Attributes:
        backbone: ResNet-50 with its feature pyramid.
        proposal_generator: where something may be.
        roi_heads: what it is, and its mask.
        sem_seg_head: what every pixel is.
        things, stuffs: number of classes.
    """

    def __init__(self, things: int, stuffs: int) -> None:
        super().__init__()
        self.things, self.stuffs = things, stuffs
        self.backbone = FeaturePyramid()
        self.proposal_generator = RegionProposals()
        self.roi_heads = CascadeHead(things)
        self.sem_seg_head = SemanticHead(stuffs)

    def forward(self, images: Sequence[Tensor], least_score: float = 0.5) -> list[Scene]:
        """What is in each RGB image (3, H, W), values 0 to 1.

        Args:
            images: of any sizes.
            least_score: detections are above it.

        Raises:
            InputError: an image has another shape or range of numbers.
        """
        batch = ImageBatch.of(images)
        features = self.backbone(batch.images)
        proposals = propose(self.proposal_generator(features), batch.sizes, INFERENCE)
        found = self.roi_heads.detect(
            features, [image.boxes for image in proposals], batch.sizes, least_score
        )
        masks = self.roi_heads.masks(features, found)
        semantic = self.sem_seg_head(features)
        return [
            Scene(boxes, mask, logits[:, : size[0], : size[1]])
            for boxes, mask, logits, size in zip(found, masks, semantic, batch.sizes, strict=True)
        ]
