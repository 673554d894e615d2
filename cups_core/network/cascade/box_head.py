"""One stage of the cascade: what is in a region, and how its box must change to fit it.

`cascade_head` puts three of them one after the other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cups_core.network.cascade.feature_pyramid import CHANNELS

CELLS = 7
WIDTH = 1024


class BoxPrediction(NamedTuple):
    """What a stage says of R regions.

    Attributes:
        logits: (R, things + 1), background last.
        deltas: (R, 4), the same for every class.
    """

    logits: Tensor
    deltas: Tensor


class BoxHead(nn.Module):
    """Two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(CHANNELS * CELLS**2, WIDTH)
        self.fc2 = nn.Linear(WIDTH, WIDTH)
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(R, 256, 7, 7) to (R, 1024)."""
        return torch.relu(self.fc2(torch.relu(self.fc1(features.flatten(1)))))


class BoxPredictor(nn.Module):
    """Class and box from what the head found."""

    def __init__(self, things: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(WIDTH, things + 1)
        self.bbox_pred = nn.Linear(WIDTH, 4)
        for layer, spread in ((self.cls_score, 0.01), (self.bbox_pred, 0.001)):
            nn.init.normal_(layer.weight, std=spread)
            nn.init.zeros_(layer.bias)

    def forward(self, found: Tensor) -> BoxPrediction:
        """(R, 1024) to logits and deltas."""
        return BoxPrediction(self.cls_score(found).float(), self.bbox_pred(found).float())
