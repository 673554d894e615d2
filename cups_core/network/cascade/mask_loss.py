"""What the mask head is taught: the mask of the object on which a region lies.

`cascade_training` adds its loss to the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.network.cascade.mask_head import CELLS, MASK_CELLS, MaskHead
from cups_core.network.cascade.region_sampling import LabeledRegions
from cups_core.network.cascade.roi_align import roi_align
from cups_core.network.cascade.roi_pooling import pooled
from cups_core.network.cascade.targets import SceneTarget

INSIDE_FROM = 0.5


def mask_loss(
    head: MaskHead,
    features: Sequence[Tensor],
    sampled: Sequence[LabeledRegions],
    targets: Sequence[SceneTarget],
    things: int,
) -> Tensor:
    """Mean binary cross-entropy of the masks of the sampled regions that lie on objects."""
    on_objects = [image.rows(image.classes < things) for image in sampled]
    classes = torch.cat([image.classes for image in on_objects])
    seen = pooled(features, [image.boxes for image in on_objects], CELLS)
    logits = head(seen, classes)
    if not len(classes):
        return logits.sum()
    wanted = torch.cat(
        [mask_targets(image, target) for image, target in zip(on_objects, targets, strict=True)]
    )
    return functional.binary_cross_entropy_with_logits(logits, wanted.float())


def mask_targets(regions: LabeledRegions, target: SceneTarget) -> Tensor:
    """bool (R, 28, 28): the mask of each region's object, cut out by the region."""
    if not len(regions.boxes):
        return target.masks.new_zeros(0, MASK_CELLS, MASK_CELLS)
    places = torch.cat([regions.objects[:, None].to(regions.boxes.dtype), regions.boxes], 1)
    cut = roi_align(target.masks[:, None].float(), places, 1.0, MASK_CELLS)
    return cut[:, 0] >= INSIDE_FROM
