"""What the stages of the cascade are taught: the class of a region, and the box of its object.

`cascade_training` adds its losses to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.network.cascade import box_head
from cups_core.network.cascade.box_head import BoxPrediction
from cups_core.network.cascade.boxes import clipped, decoded, encoded, is_extended
from cups_core.network.cascade.cascade_head import DELTA_WEIGHTS, STAGES, CascadeHead
from cups_core.network.cascade.region_sampling import LabeledRegions, label_regions
from cups_core.network.cascade.roi_pooling import pooled
from cups_core.network.cascade.targets import SceneTarget


@dataclass(frozen=True, eq=False)
class StageOutcome:
    """What one stage saw and said.

    Attributes:
        regions: of each image.
        said: of the regions of all images, one image after the other.
        moved: float32 (all R, 4), the regions as the stage moves them, without gradient, not
            clipped.
    """

    regions: tuple[LabeledRegions, ...]
    said: BoxPrediction
    moved: Tensor


class RegionWeights(Protocol):
    """How much each region counts in the classification loss of a stage."""

    def of(
        self, stage: int, outcome: StageOutcome, targets: Sequence[SceneTarget]
    ) -> Tensor | None:
        """(all R,), or None where every region counts."""


def run_stages(
    head: CascadeHead,
    features: Sequence[Tensor],
    sampled: Sequence[LabeledRegions],
    targets: Sequence[SceneTarget],
    things: int,
) -> list[StageOutcome]:
    """The outcome of each stage, beginning with the sampled regions of each image."""
    regions = list(sampled)
    outcomes: list[StageOutcome] = []
    for stage, weights in enumerate(DELTA_WEIGHTS):
        seen = pooled(features, [image.boxes for image in regions], box_head.CELLS)
        if seen.requires_grad:
            # Three stages pull at the same features: together they count as one.
            seen.register_hook(lambda gradient: gradient / STAGES)
        said = head.look(stage, seen)
        boxes = torch.cat([image.boxes for image in regions])
        moved = decoded(boxes, said.deltas.detach(), weights)
        outcomes.append(StageOutcome(tuple(regions), said, moved))
        if stage + 1 < STAGES:
            by_image = moved.split([len(image.boxes) for image in regions])
            regions = [
                _next(boxes, target, things, stage + 1)
                for boxes, target in zip(by_image, targets, strict=True)
            ]
    return outcomes


def cascade_losses(
    outcomes: Sequence[StageOutcome],
    targets: Sequence[SceneTarget],
    region_weights: RegionWeights | None,
) -> dict[str, Tensor]:
    """`loss_cls_stage0` to 2 and `loss_box_reg_stage0` to 2."""
    losses = {}
    for stage, outcome in enumerate(outcomes):
        counted = region_weights.of(stage, outcome, targets) if region_weights else None
        classes = torch.cat([image.classes for image in outcome.regions])
        losses[f"loss_cls_stage{stage}"] = classification_loss(
            outcome.said.logits, classes, counted
        )
        losses[f"loss_box_reg_stage{stage}"] = box_loss(outcome, stage)
    return losses


def classification_loss(logits: Tensor, classes: Tensor, weights: Tensor | None) -> Tensor:
    """Mean cross-entropy over all regions, those of weight 0 among them."""
    entropy = functional.cross_entropy(logits, classes, reduction="none")
    return (entropy if weights is None else weights * entropy).sum() / max(len(entropy), 1)


def box_loss(outcome: StageOutcome, stage: int) -> Tensor:
    """Distance of the changes from those that were right, of regions on objects; per region."""
    classes = torch.cat([image.classes for image in outcome.regions])
    on_object = classes < outcome.said.logits.shape[1] - 1
    boxes = torch.cat([image.boxes for image in outcome.regions])[on_object]
    wanted = torch.cat([image.object_boxes for image in outcome.regions])[on_object]
    change = encoded(boxes, wanted, DELTA_WEIGHTS[stage])
    return (outcome.said.deltas[on_object] - change).abs().sum() / max(len(classes), 1)


def _next(boxes: Tensor, target: SceneTarget, things: int, stage: int) -> LabeledRegions:
    """What the next stage sees of the moved regions of an image."""
    height, width = target.semantic.shape
    inside = clipped(boxes, (height, width))
    return label_regions(inside[is_extended(inside)], target, things, stage)
