"""Anchor boxes: three shapes of one size around every cell of every pyramid level.

Region proposals are told as changes of them. Their corners are not rounded, as in detectron2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cups_core.network.cascade.feature_pyramid import STRIDES

SIZES_PX = (32, 64, 128, 256, 512)
# Height over width.
ASPECT_RATIOS = (0.5, 1.0, 2.0)


def anchors_of(features: Sequence[Tensor]) -> list[Tensor]:
    """The anchors of each level.

    Args:
        features: p2 ... p6, (B, C, h, w) each.

    Returns:
        Per level float32 (h * w * 3, 4): left, top, right, bottom in pixels of the padded image,
        by row, column, aspect ratio.
    """
    return [
        _level(level.shape[2], level.shape[3], size, stride, level.device)
        for level, size, stride in zip(features, SIZES_PX, STRIDES, strict=True)
    ]


def _level(height: int, width: int, size: int, stride: int, device: torch.device) -> Tensor:
    x = torch.arange(0, width * stride, stride, dtype=torch.float32, device=device)
    y = torch.arange(0, height * stride, stride, dtype=torch.float32, device=device)
    row, column = torch.meshgrid(y, x, indexing="ij")
    origins = torch.stack([column, row, column, row], -1)
    return (origins[:, :, None] + _shapes(size).to(device)).reshape(-1, 4)


def _shapes(size: int) -> Tensor:
    """The boxes of one cell around its origin, (3, 4)."""
    shapes = []
    for ratio in ASPECT_RATIOS:
        width = (size**2 / ratio) ** 0.5
        height = ratio * width
        shapes.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(shapes)
