"""Non-maximum suppression of a fixed number of boxes, without a loop that depends on them.

The static proposals and the static cascade use it: NonMaxSuppression and NonZero of ONNX give as
many rows as they find, which TensorRT runs slowly and quantisation tools hardly at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cups_core.network.cascade.boxes import overlap

# Each round decides one more link of a chain in which every box covers the next one. After an even
# number what is not decided yet stays: nothing that belongs there is lost.
ROUNDS = 8


def staying(boxes: Tensor, threshold: float, groups: Tensor | None = None) -> Tensor:
    """Which boxes stay, as `suppression.suppressed` decides one after the other.

    Args:
        boxes: (N, 4), best first; empty ones cover nothing and stay.
        threshold: intersection over union above which a box goes.
        groups: (N,); boxes of different groups do not suppress each other. None = one group.

    Returns:
        bool (N,).
    """
    is_covered = overlap(boxes, boxes) > threshold
    if groups is not None:
        is_covered = is_covered & (groups[:, None] == groups[None])
    by_better = is_covered.float().triu(1)
    kept = torch.ones_like(boxes[:, :1]).T
    for _ in range(ROUNDS):
        kept = 1 - (kept @ by_better).clamp(max=1)
    return kept[0] > 0
