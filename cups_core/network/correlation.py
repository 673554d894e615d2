"""All-pairs correlation of two feature maps at four scales, and its reading around moving points.

RAFT builds one per direction and reads it once per iteration.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 4
RADIUS = 4
CHANNELS = LEVELS * (2 * RADIUS + 1) ** 2
BYTES_PER_VALUE = 4


def volume_bytes(height: int, width: int) -> int:
    """Memory of the correlation of one direction between feature maps of this size."""
    targets = sum(((height >> level) + 2) * ((width >> level) + 2) for level in range(LEVELS))
    return height * width * targets * BYTES_PER_VALUE


class Correlation:
    """Dot products of every feature of one map with every feature of another one, float32.

    Averaging the products over the second image equals a product with averaged features, so each
    scale is one matrix product. A border of zero features makes whatever lies outside read as 0.
    """

    def __init__(self, first: Tensor, second: Tensor) -> None:
        """Correlates two float32 (B, C, h, w) maps; h and w at least 8."""
        batch, channels, height, width = first.shape
        queries = first.flatten(2).transpose(1, 2) / channels**0.5
        self._shape = batch, height, width
        self._volumes: list[Tensor] = []
        self._sizes: list[tuple[int, int]] = []
        # The difference of two matches is far smaller than half precision resolves.
        with torch.autocast(first.device.type, enabled=False):
            for level in range(LEVELS):
                if level > 0:
                    second = functional.avg_pool2d(second, 2)
                targets = functional.pad(second, (1, 1, 1, 1)).flatten(2)
                volume = torch.bmm(queries, targets)
                self._volumes.append(volume.view(batch * height * width, -1))
                self._sizes.append((second.shape[2], second.shape[3]))

    def around(self, points: Tensor) -> Tensor:
        """Correlation of each feature with the 9x9 neighbourhood of its point, at every scale.

        Args:
            points: float32 (B, 2, h, w), x and y in the second map, in its pixels.

        Returns:
            float32 (B, 324, h, w); channels run over the scale, then dy, then dx.
        """
        batch, height, width = self._shape
        flat = points.permute(0, 2, 3, 1).reshape(-1, 2)
        scales = [
            _windows(volume, flat / 2**level, *size)
            for level, (volume, size) in enumerate(zip(self._volumes, self._sizes, strict=True))
        ]
        read = torch.cat(scales, 1).view(batch, height, width, CHANNELS)
        return read.permute(0, 3, 1, 2).contiguous()


def _windows(volume: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """Bilinear 9x9 windows of one scale, (N, 81), dy outer.

    All samples of a window share their fraction of a pixel, so 10x10 values serve all 81.
    """
    corner = points.floor()
    right, down = (points - corner).unbind(1)
    steps = torch.arange(-RADIUS, RADIUS + 2, device=points.device)
    # Index 0 and the last one are the border of zeros.
    x = (corner[:, 0].long()[:, None] + steps + 1).clamp(0, width + 1)
    y = (corner[:, 1].long()[:, None] + steps + 1).clamp(0, height + 1)
    places = y[:, :, None] * (width + 2) + x[:, None, :]
    values = volume.gather(1, places.flatten(1)).view(places.shape)
    rows = torch.lerp(values[:, :-1], values[:, 1:], down[:, None, None])
    return torch.lerp(rows[:, :, :-1], rows[:, :, 1:], right[:, None, None]).flatten(1)
