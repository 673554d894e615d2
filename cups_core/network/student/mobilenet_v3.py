"""MobileNetV3-Large in the key names of torchvision, so that its ImageNet weights fit.

One of the student's two backbones. Howard et al., "Searching for MobileNetV3" (ICCV 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 16
LAST_CHANNELS = 960
# As in torchvision.
NORM_EPSILON, NORM_MOMENTUM = 0.001, 0.01
# The excitation squeezes to a quarter, rounded to a multiple of 8 that keeps nine tenths of it.
SQUEEZE, MULTIPLE, LEAST_KEPT = 4, 8, 0.9


@dataclass(frozen=True)
class BlockPlan:
    """One row of the paper's table 1.

    Attributes:
        window: of the depthwise convolution.
        expanded: channels inside.
        outputs: channels that come out.
        excites: weighs its channels by their means.
        is_hard_swish: this activation instead of a rectifier.
        stride: of the depthwise convolution.
    """

    window: int
    expanded: int
    outputs: int
    excites: bool
    is_hard_swish: bool
    stride: int


PLAN = (
    BlockPlan(3, 16, 16, False, False, 1),
    BlockPlan(3, 64, 24, False, False, 2),
    BlockPlan(3, 72, 24, False, False, 1),
    BlockPlan(5, 72, 40, True, False, 2),
    BlockPlan(5, 120, 40, True, False, 1),
    BlockPlan(5, 120, 40, True, False, 1),
    BlockPlan(3, 240, 80, False, True, 2),
    BlockPlan(3, 200, 80, False, True, 1),
    BlockPlan(3, 184, 80, False, True, 1),
    BlockPlan(3, 184, 80, False, True, 1),
    BlockPlan(3, 480, 112, True, True, 1),
    BlockPlan(3, 672, 112, True, True, 1),
    BlockPlan(5, 672, 160, True, True, 2),
    BlockPlan(5, 960, 160, True, True, 1),
    BlockPlan(5, 960, 160, True, True, 1),
)
# The last of `features` at a 4th, 8th, 16th and 32nd of the image's size.
LAST_OF_STRIDE = (3, 6, 12, 16)


def _convolution(
    inputs: int,
    outputs: int,
    window: int,
    activation: type[nn.Module] | None,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, NORM_EPSILON, NORM_MOMENTUM),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Excitation(nn.Module):
    """Weighs channels by what all pixels together say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // SQUEEZE
        squeezed = (quarter + MULTIPLE // 2) // MULTIPLE * MULTIPLE
        if squeezed < LEAST_KEPT * quarter:
            squeezed += MULTIPLE
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        means = functional.adaptive_avg_pool2d(images, 1)
        return images * functional.hardsigmoid(self.fc2(torch.relu(self.fc1(means))))


class InvertedResidual(nn.Module):
    """Expands, filters every channel for itself, and squeezes; beside the identity if it can be."""

    def __init__(self, inputs: int, plan: BlockPlan) -> None:
        super().__init__()
        activation = nn.Hardswish if plan.is_hard_swish else nn.ReLU
        layers: list[nn.Module] = []
        if plan.expanded != inputs:
            layers.append(_convolution(inputs, plan.expanded, 1, activation))
        layers.append(
            _convolution(
                plan.expanded, plan.expanded, plan.window, activation, plan.stride, plan.expanded
            )
        )
        if plan.excites:
            layers.append(Excitation(plan.expanded))
        layers.append(_convolution(plan.expanded, plan.outputs, 1, None))
        self.block = nn.Sequential(*layers)
        self.is_residual = plan.stride == 1 and inputs == plan.outputs

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inside = self.block(images)
        return images + inside if self.is_residual else inside


class MobileNetV3(nn.Module):
    """The backbone.

    Attributes:
        channels: of what it gives.
    """

    channels = (24, 40, 112, LAST_CHANNELS)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, STEM_CHANNELS, 3, nn.Hardswish, stride=2)]
        inputs = STEM_CHANNELS
        for plan in PLAN:
            layers.append(InvertedResidual(inputs, plan))
            inputs = plan.outputs
        layers.append(_convolution(inputs, LAST_CHANNELS, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at a 4th, 8th, 16th and 32nd of the size of (B, 3, H, W)."""
        features = []
        for number, layer in enumerate(self.features):
            images = layer(images)
            if number in LAST_OF_STRIDE:
                features.append(images)
        return features
