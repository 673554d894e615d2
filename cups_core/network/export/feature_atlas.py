"""All pyramid levels in one map, so that one RoIAlign looks at every region in its own level.

The static cascade pools from it. The eager network sorts the regions by level, which gives tensors
of sizes that depend on the image; asking every level for every region costs four times as much.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.network.cascade.feature_pyramid import STRIDES
from cups_core.network.cascade.roi_align import roi_align
from cups_core.network.cascade.roi_pooling import COARSEST, FINEST, levels_of

LEVELS = COARSEST - FINEST + 1
# RoIAlign repeats the outermost pixels of a map up to one pixel outside of it.
BORDER = 1


class FeatureAtlas:
    """The finest level on top, below it the others side by side, each with its border repeated.

    Args:
        features: p2 ... p5 and more, (1, C, h, w) each; levels above p5 are not used.
    """

    def __init__(self, features: Sequence[Tensor]) -> None:
        levels = [
            functional.pad(level.float(), (BORDER,) * 4, mode="replicate")
            for level in features[:LEVELS]
        ]
        finest, others = levels[0], levels[1:]
        depth = others[0].shape[2]
        below = torch.cat([_filled(level, depth, level.shape[3]) for level in others], 3)
        width = max(finest.shape[3], below.shape[3])
        self._map = torch.cat(
            [_filled(finest, finest.shape[2], width), _filled(below, depth, width)], 2
        )
        # Left and top of each level's first pixel in the atlas.
        lefts, tops = [BORDER], [BORDER]
        start = 0
        for level in others:
            lefts.append(start + BORDER)
            tops.append(finest.shape[2] + BORDER)
            start += level.shape[3]
        places = [lefts, tops, lefts, tops]
        self._origins = torch.tensor(places, dtype=torch.float32).T.contiguous()
        self._scales = torch.tensor([[1 / stride] for stride in STRIDES[:LEVELS]])

    def pooled(self, boxes: Tensor, size: int) -> Tensor:
        """Features of boxes, as `roi_pooling.pooled` gives them.

        Args:
            boxes: (N, 4), pixels of the image, within it.
            size: cells per side.

        Returns:
            float32 (N, C, size, size).
        """
        level = levels_of(boxes) - FINEST
        placed = boxes * self._scales[level] + self._origins[level]
        regions = torch.cat([torch.zeros_like(placed[:, :1]), placed], 1)
        return roi_align(self._map, regions, 1.0, size)


def _filled(level: Tensor, height: int, width: int) -> Tensor:
    return functional.pad(level, (0, width - level.shape[3], 0, height - level.shape[2]))
