"""Non-maximum suppression: of boxes of one group that overlap, the one with the best score stays.

The proposals suppress within a pyramid level, the detections within a class. On a GPU it is
torchvision's; on a processor an own kernel, since no torchvision loads beside a CPU-only PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_core.compiled import kernel
from cups_core.network.cascade.torchvision_operators import torchvision_ops


def suppressed(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """The indices of what stays, best score first; equal scores in the given order.

    Args:
        boxes: (N, 4), pixels.
        scores: (N,).
        groups: int64 (N,); boxes of different groups do not suppress each other.
        threshold: intersection over union above which a box goes.
    """
    if boxes.is_cuda:
        found = torchvision_ops().batched_nms(boxes.float(), scores, groups, threshold)
        return found[torch.sort(scores[found], descending=True, stable=True).indices]
    order = torch.sort(scores, descending=True, stable=True).indices
    kept = _kept(boxes[order].float().numpy(), groups[order].numpy(), threshold)
    return order[torch.from_numpy(kept)]


@kernel
def _kept(boxes: Any, groups: Any, threshold: Any) -> Any:
    """Indices of what stays of boxes that are sorted by score."""
    count = len(boxes)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    is_gone = np.zeros(count, np.bool_)
    kept = np.empty(count, np.int64)
    found = 0
    for best in range(count):
        if is_gone[best]:
            continue
        kept[found] = best
        found += 1
        left, top, right, bottom = boxes[best]
        for other in range(best + 1, count):
            if is_gone[other] or groups[other] != groups[best]:
                continue
            width = min(right, boxes[other, 2]) - max(left, boxes[other, 0])
            height = min(bottom, boxes[other, 3]) - max(top, boxes[other, 1])
            if width <= 0 or height <= 0:
                continue
            shared = width * height
            if shared / (areas[best] + areas[other] - shared) > threshold:
                is_gone[other] = True
    return kept[:found]
