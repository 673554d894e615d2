"""RoIAlign: the mean of bilinear samples in each cell of a grid that is laid over a region.

The box and mask heads see the features through it, and mask targets are cut out with it. On a GPU
it is torchvision's; on a processor an own kernel, since no torchvision loads beside a CPU-only
PyTorch. He et al., "Mask R-CNN" (ICCV 2017), with half-pixel alignment and as many samples per cell
as it is pixels wide.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cups_core.network.cascade.roi_align_kernels import pool, spread
from cups_core.network.cascade.torchvision_operators import torchvision_ops


def roi_align(features: Tensor, regions: Tensor, scale: float, size: int) -> Tensor:
    """Features of regions.

    Args:
        features: (B, C, H, W); on a processor channels-last memory is read without a copy.
        regions: (R, 5): index of the image in the batch, left, top, right, bottom.
        scale: pixels of `features` per pixel of the regions.
        size: cells per side.

    Returns:
        float32 (R, C, size, size).
    """
    features, regions = features.float(), regions.float()
    if features.is_cuda:
        return torchvision_ops().roi_align(features, regions, (size, size), scale, 0, True)
    return _roi_align(features, regions, scale, size)


@torch.library.custom_op("cups::roi_align", mutates_args=(), device_types="cpu")
def _roi_align(features: Tensor, regions: Tensor, scale: float, size: int) -> Tensor:
    pooled = torch.empty(len(regions), features.shape[1], size, size)
    by_pixel = features.detach().permute(0, 2, 3, 1).contiguous()
    pool(by_pixel.numpy(), regions.detach().contiguous().numpy(), scale, pooled.numpy())
    return pooled


@torch.library.custom_op("cups::roi_align_gradient", mutates_args=(), device_types="cpu")
def _gradient(
    pooled: Tensor, regions: Tensor, scale: float, batch: int, height: int, width: int
) -> Tensor:
    by_pixel = torch.zeros(batch, height, width, pooled.shape[1])
    given = pooled.detach().contiguous().numpy()
    spread(given, regions.detach().contiguous().numpy(), scale, by_pixel.numpy())
    # Contiguous: the outcome of an operator must not depend on the memory format of its input.
    return by_pixel.permute(0, 3, 1, 2).contiguous()


@_roi_align.register_fake
def _(features: Tensor, regions: Tensor, scale: float, size: int) -> Tensor:
    return features.new_empty(regions.shape[0], features.shape[1], size, size)


@_gradient.register_fake
def _(pooled: Tensor, regions: Tensor, scale: float, batch: int, height: int, width: int) -> Tensor:
    return pooled.new_empty(batch, pooled.shape[1], height, width)


def _remember(ctx: Any, inputs: tuple[Tensor, Tensor, float, int], output: Tensor) -> None:
    features, regions, ctx.scale, _ = inputs
    ctx.shape = features.shape
    ctx.save_for_backward(regions)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
    (regions,) = ctx.saved_tensors
    batch, _, height, width = ctx.shape
    return _gradient(gradient, regions, ctx.scale, batch, height, width), None, None, None


torch.library.register_autograd("cups::roi_align", _backward, setup_context=_remember)
