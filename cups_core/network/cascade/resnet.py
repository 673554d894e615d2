"""ResNet-50 as detectron2 builds it: the stride of a block lies in its 3x3 convolution.

The feature pyramid takes the outcomes of its four stages. He et al., "Deep Residual Learning"
(CVPR 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_core.network.cascade.convolution import NormedConvolution

STEM_CHANNELS = 64
# Blocks of the stages res2 to res5, and the channels that come out of each.
STAGES = {"res2": (3, 256), "res3": (4, 512), "res4": (6, 1024), "res5": (3, 2048)}
# A block squeezes its channels to a quarter of what it gives.
SQUEEZE = 4


class Stem(nn.Module):
    """A 7x7 convolution and a maximum: an image at a quarter of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = NormedConvolution(3, STEM_CHANNELS, 7, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 64, H / 4, W / 4)."""
        return functional.max_pool2d(torch.relu_(self.conv1(images)), 3, 2, 1)


class Bottleneck(nn.Module):
    """Three convolutions beside the identity, or beside a projection where the channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        squeezed = outputs // SQUEEZE
        self.conv1 = NormedConvolution(inputs, squeezed, 1)
        self.conv2 = NormedConvolution(squeezed, squeezed, 3, stride)
        self.conv3 = NormedConvolution(squeezed, outputs, 1)
        self.shortcut = (
            nn.Identity() if inputs == outputs else NormedConvolution(inputs, outputs, 1, stride)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inside = torch.relu_(self.conv2(torch.relu_(self.conv1(images))))
        return torch.relu_(self.conv3(inside) + self.shortcut(images))


class ResNet50(nn.Module):
    """The backbone.

    Attributes:
        stem: what comes before the stages.
        res2, res3, res4, res5: the stages, each a sequence of blocks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        inputs = STEM_CHANNELS
        for name, (blocks, outputs) in STAGES.items():
            first_stride = 1 if name == "res2" else 2
            self.add_module(
                name,
                nn.Sequential(
                    Bottleneck(inputs, outputs, first_stride),
                    *(Bottleneck(outputs, outputs, 1) for _ in range(blocks - 1)),
                ),
            )
            inputs = outputs

    def forward(self, images: Tensor) -> list[Tensor]:
        """The outcomes of the stages, at a 4th, 8th, 16th and 32nd of the size of (B, 3, H, W)."""
        outcomes = [self.stem(images)]
        for name in STAGES:
            outcomes.append(self.get_submodule(name)(outcomes[-1]))
        return outcomes[1:]
