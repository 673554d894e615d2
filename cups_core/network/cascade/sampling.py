"""Which anchors and regions the losses look at, of the many that there are.

The losses take a `Sampler`, so that training can be repeated and compared.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Sampler(Protocol):
    """Chooses some of many."""

    def choose(
        self, is_positive: Tensor, is_negative: Tensor, count: int, positive_share: float
    ) -> tuple[Tensor, Tensor]:
        """Indices of positive and of negative ones.

        Args:
            is_positive, is_negative: bool (N,).
            count: how many in all, at most.
            positive_share: of these, at most that share is positive.
        """


class RandomSampler:
    """Every choice is equally likely."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        """Draws from PyTorch's common generator where none is given."""
        self._generator = generator

    def choose(
        self, is_positive: Tensor, is_negative: Tensor, count: int, positive_share: float
    ) -> tuple[Tensor, Tensor]:
        """See `Sampler.choose`; what positive ones do not use, negative ones fill."""
        positive = self._some(is_positive, int(count * positive_share))
        return positive, self._some(is_negative, count - len(positive))

    def _some(self, among: Tensor, count: int) -> Tensor:
        index = torch.nonzero(among)[:, 0]
        order = torch.randperm(len(index), generator=self._generator)[:count]
        return index[order.to(index.device)]
