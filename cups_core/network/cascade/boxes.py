"""Boxes as tensors (N, 4) of left, top, right, bottom in pixels, and what is done with them.

The proposals, the cascade and their losses use it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# A box grows at most from 16 px to 1000 px: a network that is wrong must not overflow.
LARGEST_GROWTH = math.log(1000 / 16)
Weights = tuple[float, float, float, float]


def area(boxes: Tensor) -> Tensor:
    """(N,) in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The boxes within an image of (height, width)."""
    height, width = size
    x = boxes[:, 0::2].clamp(0, width)
    y = boxes[:, 1::2].clamp(0, height)
    return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)


def is_extended(boxes: Tensor) -> Tensor:
    """(N,) bool: whether there is anything inside the box."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair of (N, 4) and (M, 4), as (N, M); 0 where none."""
    one, other = first[:, None], second[None]
    # Side by side, not as one tensor of both: pairs are many.
    width = torch.min(one[..., 2], other[..., 2]) - torch.max(one[..., 0], other[..., 0])
    height = torch.min(one[..., 3], other[..., 3]) - torch.max(one[..., 1], other[..., 1])
    shared = width.clamp_(min=0) * height.clamp_(min=0)
    union = area(first)[:, None] + area(second)[None] - shared
    return torch.where(shared > 0, shared / union, torch.zeros_like(shared))


def encoded(boxes: Tensor, targets: Tensor, weights: Weights) -> Tensor:
    """The change (N, 4) from each box to its target: shift over size, logarithm of growth.

    Both must be extended.
    """
    center, extent = _center_and_extent(boxes)
    target_center, target_extent = _center_and_extent(targets)
    shift = (target_center - center) / extent
    growth = torch.log(target_extent / extent)
    return torch.cat([shift, growth], 1) * _tensor(weights, boxes)


def decoded(boxes: Tensor, deltas: Tensor, weights: Weights) -> Tensor:
    """The boxes after the changes (N, 4), see `encoded`; not clipped."""
    deltas = deltas.float() / _tensor(weights, boxes)
    center, extent = _center_and_extent(boxes.float())
    moved = deltas[:, :2] * extent + center
    half = 0.5 * (torch.exp(deltas[:, 2:].clamp(max=LARGEST_GROWTH)) * extent)
    return torch.cat([moved - half, moved + half], 1)


def _center_and_extent(boxes: Tensor) -> tuple[Tensor, Tensor]:
    extent = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + 0.5 * extent, extent


def _tensor(weights: Weights, like: Tensor) -> Tensor:
    return torch.tensor(weights, dtype=torch.float32, device=like.device)
