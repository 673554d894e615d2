"""Trains a segmentation head on a frozen transformer's tokens, without labels.

`cups fit-semantics --features dino` runs it. Tokens are computed once and kept, and the head sees
only the tokens that a step draws, so that training needs no GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.errors import InputError
from cups_core.network.segmentation_head import SegmentationHead
from cups_core.settings import setting
from cups_training.semantics_fitting.head.feature_correspondence import (
    ITSELF,
    NEIGHBOUR,
    RANDOM,
    correspondence_loss,
)

_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class HeadSettings:
    """DepthG's recipe for street scenes."""

    dimension: int = setting(100, "numbers in a code", minimum=2, maximum=1024)
    steps: int = setting(5000, "updates of the head", minimum=1, maximum=1_000_000)
    batch: int = setting(32, "crops of one update", minimum=2, maximum=4096)
    points: int = setting(121, "random tokens of each crop", minimum=2, maximum=10_000)
    neighbours: int = setting(7, "crops that a crop counts as alike", minimum=1, maximum=100)
    permutations: int = setting(5, "random partners of each crop", minimum=1, maximum=100)
    learning_rate: float = setting(5e-4, "of Adam", minimum=1e-7, maximum=1.0)
    seed: int = setting(0, "of the start and of all draws", minimum=0)


def train_head(
    tokens: Tensor,
    settings: HeadSettings,
    device: torch.device,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> SegmentationHead:
    """A head whose codes agree where tokens do: within a crop, with a like one, with random ones.

    Args:
        tokens: (N, T, W), T tokens of each of N crops, of any float type, on the processor.
        settings: the recipe.
        device: where the head is trained.
        on_step: told each update's number, from 1, and its loss.

    Returns:
        The head in evaluation mode, on `device`.

    Raises:
        InputError: there are too few crops for batches or neighbours.
    """
    crops = len(tokens)
    if crops <= max(settings.batch, settings.neighbours):
        raise InputError(
            f"head: expected more than {max(settings.batch, settings.neighbours)} crops, found "
            f"{crops}: sample more frames"
        )
    torch.manual_seed(settings.seed)
    random = torch.Generator().manual_seed(settings.seed)
    alike = nearest_crops(tokens, settings.neighbours)
    head = SegmentationHead(tokens.shape[2], settings.dimension).to(device).train()
    optimizer = torch.optim.Adam(head.parameters(), lr=settings.learning_rate)
    for step in range(1, settings.steps + 1):
        first = torch.randperm(crops, generator=random)[: settings.batch]
        pick = torch.randint(settings.neighbours, first.shape, generator=random)
        chosen = torch.cat([first, alike[first, pick]])
        features = _draw(tokens, chosen, settings.points, random).to(device).float()
        # The head is made of 1 x 1 convolutions over a map: here a map of one column.
        codes = head(features.transpose(1, 2).unsqueeze(3)).squeeze(3).transpose(1, 2)
        loss = _loss(features, codes, settings, random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        on_step(step, float(loss.detach()))
    return head.eval()


def _loss(
    features: Tensor, codes: Tensor, settings: HeadSettings, random: torch.Generator
) -> Tensor:
    """Of a batch whose second half are the partners of its first."""
    own_features, like_features = features.chunk(2)
    own_codes, like_codes = codes.chunk(2)
    loss = correspondence_loss((own_features, own_features), (own_codes, own_codes), ITSELF)
    loss = loss + correspondence_loss(
        (own_features, like_features), (own_codes, like_codes), NEIGHBOUR
    )
    count = len(own_codes)
    for _ in range(settings.permutations):
        # A shift of a random order: nobody is his own partner.
        order = torch.randperm(count, generator=random)
        other = torch.empty_like(order)
        other[order] = order.roll(1)
        loss = (
            loss
            + correspondence_loss(
                (own_features, own_features[other]), (own_codes, own_codes[other]), RANDOM
            )
            / settings.permutations
        )
    return loss


def _draw(tokens: Tensor, crops: Tensor, points: int, random: torch.Generator) -> Tensor:
    """(B, points, W): random tokens of some crops, drawn with replacement."""
    picks = torch.randint(tokens.shape[1], (len(crops), points), generator=random)
    return tokens[crops[:, None], picks]


def nearest_crops(tokens: Tensor, count: int) -> Tensor:
    """int64 (N, count): the other crops whose mean tokens point the most alike, nearest first."""
    means = functional.normalize(torch.stack([crop.float().mean(0) for crop in tokens]), dim=1)
    found = []
    for begin in range(0, len(means), _ROWS_AT_ONCE):
        rows = means[begin : begin + _ROWS_AT_ONCE]
        cosines = rows @ means.T
        cosines[torch.arange(len(rows)), begin + torch.arange(len(rows))] = -torch.inf
        found.append(cosines.topk(count, dim=1).indices)
    return torch.cat(found)
