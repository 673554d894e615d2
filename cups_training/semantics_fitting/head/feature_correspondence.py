"""Feature-correspondence distillation: codes shall agree where the transformer's features do.

The loss of Hamilton et al., "STEGO" (ICLR 2022), with DepthG's weights for street scenes;
`training` minimises it. DepthG's further depth term is left out on purpose: it normalises a
map of one channel over its channels, so all depths correlate by 1 and nothing is learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class PairWeight:
    """How much a kind of image pair counts, and the feature similarity that divides its points.

    Points whose features are more alike than `divide` are drawn together, others apart.
    """

    weight: float
    divide: float


ITSELF = PairWeight(0.95, 0.39)
NEIGHBOUR = PairWeight(1.02, 0.25)
RANDOM = PairWeight(0.57, 0.26)


def correspondence_loss(
    features: tuple[Tensor, Tensor], codes: tuple[Tensor, Tensor], pair: PairWeight
) -> Tensor:
    """Weighted mean over all pairs of points between two images of each pair.

    No centring of similarities, similarities of codes below zero count as zero.

    Args:
        features: two tensors (B, P, F), of the points of the first and of the second images.
        codes: two tensors (B, P, D), of the same points.
        pair: kind of the image pairs.
    """
    similar = _cosines(*features) - pair.divide
    return -pair.weight * (_cosines(*codes).clamp(min=0.0) * similar).mean()


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    """(B, P, P), between all points of the first and all of the second."""
    return torch.einsum(
        "bpf,bqf->bpq", functional.normalize(first, dim=2), functional.normalize(second, dim=2)
    )
