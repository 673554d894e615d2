"""Masks of detected boxes, one per class; the network asks it for the predicted class alone.

`mask_loss` trains it. He et al., "Mask R-CNN" (ICCV 2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cups_core.network.cascade.feature_pyramid import CHANNELS

CELLS = 14
MASK_CELLS = 2 * CELLS
CONVOLUTIONS = 4


class MaskHead(nn.Module):
    """Four convolutions, one that doubles the size, and one that gives a mask per class."""

    def __init__(self, things: int) -> None:
        super().__init__()
        for number in range(1, CONVOLUTIONS + 1):
            self.add_module(f"mask_fcn{number}", nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1))
        self.deconv = nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, 2)
        self.predictor = nn.Conv2d(CHANNELS, things, 1)
        for layer in self.children():
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.predictor.weight, std=0.001)

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """(N, 256, 14, 14) and a class of each, (N,), to mask logits (N, 28, 28)."""
        for number in range(1, CONVOLUTIONS + 1):
            features = torch.relu(self.get_submodule(f"mask_fcn{number}")(features))
        masks = self.predictor(torch.relu(self.deconv(features))).float()
        return masks[torch.arange(len(masks), device=masks.device), classes]
