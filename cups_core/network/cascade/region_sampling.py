"""Regions of an image with the objects on which they lie: what the cascade learns from.

`cascade_loss` and `mask_loss` take them; `cascade_training` samples those of the first stage.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cups_core.network.cascade.boxes import overlap
from cups_core.network.cascade.sampling import Sampler
from cups_core.network.cascade.targets import SceneTarget

# Regions per image, and how many of them may lie on an object.
SAMPLES = 512
POSITIVE_SHARE = 0.25
# Overlap from which a region lies on an object, by stage.
OBJECT_FROM = (0.5, 0.6, 0.7)


@dataclass(frozen=True, eq=False)
class LabeledRegions:
    """Regions of one image.

    Attributes:
        boxes: (R, 4), pixels.
        classes: int64 (R,), 0 to things - 1, or things for background.
        objects: int64 (R,), the object of the image's target that each overlaps most.
        object_boxes: (R, 4), its box; zeros in an image without objects.
    """

    boxes: Tensor
    classes: Tensor
    objects: Tensor
    object_boxes: Tensor

    def rows(self, index: Tensor) -> LabeledRegions:
        """Some of them."""
        return LabeledRegions(
            self.boxes[index], self.classes[index], self.objects[index], self.object_boxes[index]
        )


def label_regions(boxes: Tensor, target: SceneTarget, things: int, stage: int) -> LabeledRegions:
    """Regions (R, 4) with the objects of their image, as a stage of the cascade sees them."""
    if not len(target.boxes):
        none = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
        return LabeledRegions(boxes, none + things, none, torch.zeros_like(boxes))
    best, index = overlap(target.boxes, boxes).max(0)
    classes = target.classes[index]
    classes[best < OBJECT_FROM[stage]] = things
    return LabeledRegions(boxes, classes, index, target.boxes[index])


@torch.no_grad()
def sample_regions(
    proposals: Tensor, target: SceneTarget, things: int, sampler: Sampler
) -> LabeledRegions:
    """Those of the proposals (P, 4), and of the objects themselves, that the first stage sees."""
    candidates = torch.cat([proposals, target.boxes])
    labeled = label_regions(candidates, target, things, stage=0)
    is_object = labeled.classes < things
    positive, negative = sampler.choose(is_object, ~is_object, SAMPLES, POSITIVE_SHARE)
    return labeled.rows(torch.cat([positive, negative]))
