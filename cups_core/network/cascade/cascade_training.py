"""The losses of Panoptic Cascade Mask R-CNN; a training loop adds them up and steps.

Distributed training wraps this module, since it calls the network in parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from cups_core.network.cascade.cascade_loss import RegionWeights, cascade_losses, run_stages
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.cascade.mask_loss import mask_loss
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.cascade.region_proposal_loss import region_proposal_losses, sample_anchors
from cups_core.network.cascade.region_proposals import TRAINING, propose
from cups_core.network.cascade.region_sampling import sample_regions
from cups_core.network.cascade.sampling import Sampler
from cups_core.network.cascade.targets import IGNORED, SceneTarget

SEMANTIC_WEIGHT = 0.5


class CascadeLosses(nn.Module):
    """Images and their targets to losses.

    Attributes:
        network: what is trained.
    """

    def __init__(
        self,
        network: PanopticCascade,
        sampler: Sampler,
        region_weights: RegionWeights | None = None,
    ) -> None:
        """Without `region_weights` every region counts."""
        super().__init__()
        self.network = network
        self._sampler = sampler
        self._region_weights = region_weights

    def forward(
        self, images: Sequence[Tensor], targets: Sequence[SceneTarget]
    ) -> dict[str, Tensor]:
        """The losses by detectron2's names; what is minimised is their sum.

        Args:
            images: RGB (3, H, W), values 0 to 1.
            targets: of each, of its size.

        Raises:
            InputError: an image has another shape or range of numbers.
        """
        network = self.network
        batch = ImageBatch.of(images)
        features = network.backbone(batch.images)
        said = network.proposal_generator(features)
        anchors = [sample_anchors(said.anchors, target.boxes, self._sampler) for target in targets]
        proposals = propose(said, batch.sizes, TRAINING)
        regions = [
            sample_regions(image.boxes, target, network.things, self._sampler)
            for image, target in zip(proposals, targets, strict=True)
        ]
        outcomes = run_stages(network.roi_heads, features, regions, targets, network.things)
        return {
            "loss_sem_seg": semantic_loss(network.sem_seg_head(features), targets),
            **region_proposal_losses(said, anchors),
            **cascade_losses(outcomes, targets, self._region_weights),
            "loss_mask": mask_loss(
                network.roi_heads.mask_head, features, regions, targets, network.things
            ),
        }


def semantic_loss(logits: Tensor, targets: Sequence[SceneTarget]) -> Tensor:
    """Half the mean cross-entropy of the pixels whose class is known; (B, S + 1, H, W), padded."""
    total, known = logits.new_zeros(()), 0
    for image, target in zip(logits, targets, strict=True):
        height, width = target.semantic.shape
        wanted = target.semantic[None]
        total = total + functional.cross_entropy(
            image[None, :, :height, :width], wanted, ignore_index=IGNORED, reduction="sum"
        )
        known += int((wanted != IGNORED).sum())
    return SEMANTIC_WEIGHT * total / max(known, 1)
