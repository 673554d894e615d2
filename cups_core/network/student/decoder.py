"""Brings what the backbone knows at coarse sizes to a quarter of the image's size, at little cost.

The student's heads look at it. Convolutions are separable: one filter for each channel, and then
sums of channels (Howard et al., "MobileNets", 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels at a 4th, 8th, 16th and 32nd of the size: most of the time goes into the finest.
WIDTHS = (64, 128, 128, 128)
WINDOW = 5
# Separable convolutions at the coarsest size: together they see 24 cells, 768 pixels.
CONTEXT_LAYERS = 3


class Projection(nn.Sequential):
    """Sums of channels, normalised."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Separable(nn.Sequential):
    """A filter for each channel and sums of channels, each normalised and rectified."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(width, width, WINDOW, padding=WINDOW // 2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            Projection(width, width),
            nn.ReLU(),
        )


class Fusion(nn.Module):
    """Joins a coarse map with one of twice its size."""

    def __init__(self, coarse: int, fine: int, width: int) -> None:
        super().__init__()
        self.from_coarse = Projection(coarse, width)
        self.from_fine = Projection(fine, width)
        self.mix = Separable(width)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(B, coarse, H / 2, W / 2) and (B, fine, H, W) to (B, width, H, W)."""
        enlarged = functional.interpolate(
            self.from_coarse(coarse), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return self.mix(torch.relu(enlarged + self.from_fine(fine)))


class Decoder(nn.Module):
    """From the four maps of a backbone to one.

    Attributes:
        context: works at the coarsest size, where much of the image is in sight.
        fusions: from coarse to fine.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        *finer, coarsest = zip(channels, WIDTHS, strict=True)
        self.context = nn.Sequential(
            Projection(*coarsest),
            nn.ReLU(),
            *(Separable(coarsest[1]) for _ in range(CONTEXT_LAYERS)),
        )
        self.fusions = nn.ModuleList()
        width = coarsest[1]
        for fine, next_width in reversed(finer):
            self.fusions.append(Fusion(width, fine, next_width))
            width = next_width

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features from fine to coarse to (B, 64, H / 4, W / 4)."""
        *finer, coarsest = features
        found = self.context(coarsest)
        for fusion, fine in zip(self.fusions, reversed(finer), strict=True):
            found = fusion(found, fine)
        return found
