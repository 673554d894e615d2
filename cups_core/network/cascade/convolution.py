"""A convolution that owns its normalisation, in the key names of detectron2.

The backbone, the feature pyramid and the semantic head are made of it.
"""

from __future__ import annotations

from torch import Tensor, nn


class NormedConvolution(nn.Conv2d):
    """A convolution without bias and then a normalisation whose keys begin with `norm`.

    Attributes:
        norm: what is applied to the outcome.
    """

    def __init__(
        self, inputs: int, outputs: int, window: int, stride: int = 1, norm: nn.Module | None = None
    ) -> None:
        """`norm` is batch normalisation where none is given."""
        super().__init__(inputs, outputs, window, stride, window // 2, bias=False)
        self.norm = norm if norm is not None else nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return self.norm(super().forward(images))
