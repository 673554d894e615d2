"""ResNet-18 in the key names of torchvision, so that its ImageNet weights fit.

One of the student's two backbones. He et al., "Deep Residual Learning" (CVPR 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 64
# Channels of layer1 to layer4; each has two blocks, the first of which halves all but layer1.
LAYERS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a projection where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inside = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(images)))))
        return torch.relu(inside + self.downsample(images))


class ResNet18(nn.Module):
    """The backbone.

    Attributes:
        channels: of what it gives.
    """

    channels = LAYERS

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM_CHANNELS, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        inputs = STEM_CHANNELS
        for number, outputs in enumerate(LAYERS, 1):
            first = BasicBlock(inputs, outputs, 1 if number == 1 else 2)
            blocks = nn.Sequential(first, BasicBlock(outputs, outputs, 1))
            self.add_module(f"layer{number}", blocks)
            inputs = outputs

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at a 4th, 8th, 16th and 32nd of the size of (B, 3, H, W)."""
        stem = torch.relu(self.bn1(self.conv1(images)))
        features = [functional.max_pool2d(stem, 3, 2, 1)]
        for number in range(1, len(LAYERS) + 1):
            features.append(self.get_submodule(f"layer{number}")(features[-1]))
        return features[1:]
