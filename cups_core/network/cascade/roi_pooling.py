"""Features of regions, each from the pyramid level that fits its size.

The box and the mask heads take them. Lin et al., "Feature Pyramid Networks" (CVPR 2017), eq. 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cups_core.network.cascade.boxes import area
from cups_core.network.cascade.feature_pyramid import STRIDES
from cups_core.network.cascade.roi_align import roi_align

# A region of 224 px, the size that backbones are trained with, is looked at in level 4.
CANONICAL_PX = 224
CANONICAL_LEVEL = 4
FINEST, COARSEST = 2, 5


def pooled(features: Sequence[Tensor], boxes: Sequence[Tensor], size: int) -> Tensor:
    """Features of all boxes of a batch.

    Args:
        features: p2 ... p6, (B, C, h, w) each; p6 is not used.
        boxes: (N, 4) of each image, pixels.
        size: cells per side.

    Returns:
        float32 (all N, C, size, size), image by image.
    """
    image = torch.cat([box.new_full((len(box), 1), float(i)) for i, box in enumerate(boxes)])
    together = torch.cat(list(boxes))
    regions = torch.cat([image, together], 1)
    levels = levels_of(together)
    found = together.new_empty(len(regions), features[0].shape[1], size, size)
    for level in range(FINEST, COARSEST + 1):
        chosen = torch.nonzero(levels == level)[:, 0]
        number = level - FINEST
        of_level = roi_align(features[number], regions[chosen], 1 / STRIDES[number], size)
        found = found.index_put((chosen,), of_level)
    return found


def levels_of(boxes: Tensor) -> Tensor:
    """The pyramid level, 2 to 5, that each of the boxes (N, 4) is looked at in."""
    side = area(boxes).sqrt()
    level = torch.floor(CANONICAL_LEVEL + torch.log2(side / CANONICAL_PX + 1e-8))
    return level.clamp(FINEST, COARSEST).long()
