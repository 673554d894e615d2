"""What the region proposal network is taught: which anchors lie on an object, and on which box.

`cascade_training` adds its losses to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.network.cascade.boxes import encoded, overlap
from cups_core.network.cascade.region_proposals import DELTA_WEIGHTS, AnchorPredictions
from cups_core.network.cascade.sampling import Sampler

# Anchors per image, and how many of them may lie on an object.
SAMPLES = 256
POSITIVE_SHARE = 0.5
BACKGROUND_BELOW = 0.3
OBJECT_FROM = 0.7
OBJECT, BACKGROUND, UNDECIDED = 1, 0, -1


@dataclass(frozen=True, eq=False)
class SampledAnchors:
    """The anchors of one image that the losses look at.

    Attributes:
        positive, negative: indices.
        boxes: (positive, 4), the object on which each positive anchor lies.
    """

    positive: Tensor
    negative: Tensor
    boxes: Tensor


def label_anchors(anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each anchor lies on an object.

    Args:
        anchors: (A, 4).
        boxes: (G, 4), the objects.

    Returns:
        int8 (A,) of OBJECT, BACKGROUND and UNDECIDED, and (A,) the object that it overlaps most.
        An object's best anchors lie on it, however little.
    """
    if not len(boxes):
        nothing = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
        return nothing.to(torch.int8), nothing
    overlaps = overlap(boxes, anchors)
    best, index = overlaps.max(0)
    labels = torch.full_like(index, UNDECIDED, dtype=torch.int8)
    labels[best < BACKGROUND_BELOW] = BACKGROUND
    labels[best >= OBJECT_FROM] = OBJECT
    labels[(overlaps == overlaps.max(1, keepdim=True).values).any(0)] = OBJECT
    return labels, index


@torch.no_grad()
def sample_anchors(anchors: Tensor, boxes: Tensor, sampler: Sampler) -> SampledAnchors:
    """The anchors (of (A, 4)) of an image with objects (G, 4) that the losses look at."""
    labels, index = label_anchors(anchors, boxes)
    positive, negative = sampler.choose(
        labels == OBJECT, labels == BACKGROUND, SAMPLES, POSITIVE_SHARE
    )
    return SampledAnchors(positive, negative, boxes[index[positive]])


def region_proposal_losses(
    said: AnchorPredictions, sampled: Sequence[SampledAnchors]
) -> dict[str, Tensor]:
    """`loss_rpn_cls` and `loss_rpn_loc`."""
    certainty, distance = said.logits.new_zeros(()), said.deltas.new_zeros(())
    for logits, deltas, image in zip(said.logits, said.deltas, sampled, strict=True):
        chosen = logits[torch.cat([image.positive, image.negative])]
        wanted = torch.zeros_like(chosen)
        wanted[: len(image.positive)] = 1
        certainty = certainty + functional.binary_cross_entropy_with_logits(
            chosen, wanted, reduction="sum"
        )
        change = encoded(said.anchors[image.positive], image.boxes, DELTA_WEIGHTS)
        distance = distance + (deltas[image.positive] - change).abs().sum()
    samples = SAMPLES * len(sampled)
    return {"loss_rpn_cls": certainty / samples, "loss_rpn_loc": distance / samples}
