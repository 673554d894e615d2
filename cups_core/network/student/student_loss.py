"""The losses of the student; a training loop adds them up and steps.

Cheng et al., "Panoptic-DeepLab" (CVPR 2020), equation 2: classes of the hardest pixels, squared
errors of the heat, absolute errors of the offsets.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.centre_grouping import STRIDE
from cups_core.network.student.panoptic_student import StudentOutputs
from cups_core.network.student.settings import StudentLossSettings
from cups_core.network.student.student_targets import IGNORED, StudentTargets


def student_losses(
    outputs: StudentOutputs, targets: StudentTargets, settings: StudentLossSettings
) -> dict[str, Tensor]:
    """The weighted losses by name; what is minimised is their sum.

    A loss of which a batch knows nothing is 0, with gradients of 0.

    Args:
        outputs: of the network.
        targets: of the same images, padded alike.
        settings: weights.
    """
    return {
        "loss_semantic": settings.semantic_weight
        * hard_pixel_loss(outputs.semantic, targets, settings.hard_share),
        "loss_centre": settings.centre_weight
        * _mean((outputs.heat.float() - targets.heat) ** 2, targets.is_heat_known),
        "loss_offset": settings.offset_weight
        * _mean((outputs.offsets.float() - targets.offsets).abs(), targets.is_thing),
    }


def hard_pixel_loss(logits: Tensor, targets: StudentTargets, share: float) -> Tensor:
    """Mean weighted cross-entropy of the hardest pixels of a batch.

    Args:
        logits: (B, C, H / 4, W / 4).
        targets: of the images.
        share: how many of the pixels whose class is known are the hardest.
    """
    enlarged = functional.interpolate(
        logits.float(), scale_factor=float(STRIDE), mode="bilinear", align_corners=False
    )
    losses = functional.cross_entropy(
        enlarged, targets.classes, ignore_index=IGNORED, reduction="none"
    )
    losses = (losses * targets.weights).flatten()
    known = int((targets.classes != IGNORED).sum())
    # Unknown pixels have a loss of 0: they are never among the hardest before known ones.
    return losses.topk(max(int(share * known), 1)).values.mean()


def _mean(errors: Tensor, where: Tensor) -> Tensor:
    """Mean over some cells of the sum over channels of the errors."""
    return torch.where(where, errors, 0.0).sum() / where.sum().clamp(min=1)
