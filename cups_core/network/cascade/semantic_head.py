"""Semantic segmentation from the feature pyramid: which stuff each pixel is, or that it is a thing.

The network runs it beside the cascade; `cascade_training` trains it. Kirillov et al., "Panoptic
Feature Pyramid Networks" (CVPR 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_core.network.cascade.convolution import NormedConvolution
from cups_core.network.cascade.feature_pyramid import CHANNELS

WIDTH = 128
GROUPS = 32
STRIDE = 4
# Convolutions of each level; the levels below p2 are doubled after each of theirs.
CONVOLUTIONS = {"p2": 1, "p3": 1, "p4": 2, "p5": 3}


class GroupNormedConvolution(NormedConvolution):
    """A 3x3 convolution with group normalisation and rectification."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, WIDTH, 3, norm=nn.GroupNorm(GROUPS, WIDTH))

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 128, H, W)."""
        return torch.relu(super().forward(images))


class SemanticHead(nn.Module):
    """Brings p2 ... p5 to one size, adds them, and names every fourth pixel."""

    def __init__(self, stuffs: int) -> None:
        super().__init__()
        for name, count in CONVOLUTIONS.items():
            layers: list[nn.Module] = []
            for number in range(count):
                layers.append(GroupNormedConvolution(WIDTH if number else CHANNELS))
                if name != "p2":
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
            self.add_module(name, nn.Sequential(*layers))
        self.predictor = nn.Conv2d(WIDTH, stuffs + 1, 1)
        nn.init.kaiming_normal_(self.predictor.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.predictor.bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """p2 ... p6 to logits (B, stuffs + 1, H, W) of every pixel of the padded images.

        Channel 0 is every thing, channel k the k-th stuff.
        """
        return functional.interpolate(self.coarse(features), scale_factor=STRIDE, mode="bilinear")

    def coarse(self, features: Sequence[Tensor]) -> Tensor:
        """The same logits (B, stuffs + 1, H / 4, W / 4) before they are enlarged."""
        found = [self.get_submodule(name)(features[i]) for i, name in enumerate(CONVOLUTIONS)]
        total = found[0]
        for level in found[1:]:
            total = total + level
        return self.predictor(total).float()
