"""Feature pyramid on ResNet-50: 256 channels at strides 4 to 64.

The region proposals and all heads look at it. Lin et al., "Feature Pyramid Networks" (CVPR 2017).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cups_core.network.cascade.convolution import NormedConvolution
from cups_core.network.cascade.resnet import STAGES, ResNet50

CHANNELS = 256
STRIDES = (4, 8, 16, 32, 64)
# Images are padded to a multiple of the stride of res5: each level then halves the one before it.
SIZE_MULTIPLE = 32


class FeaturePyramid(nn.Module):
    """The backbone and what brings its coarse knowledge to its fine maps.

    Attributes:
        bottom_up: the backbone.
        fpn_lateral2 ... 5: 1x1 convolutions from its stages to 256 channels.
        fpn_output2 ... 5: 3x3 convolutions that smooth the sums.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bottom_up = ResNet50()
        for level, (_, channels) in enumerate(STAGES.values(), 2):
            self.add_module(f"fpn_lateral{level}", NormedConvolution(channels, CHANNELS, 1))
            self.add_module(f"fpn_output{level}", NormedConvolution(CHANNELS, CHANNELS, 3))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W), sides multiples of 32, to p2 ... p6: (B, 256, H / stride, W / stride)."""
        stages = self.bottom_up(images)
        summed: Tensor | None = None
        pyramid: list[Tensor] = []
        for level in range(len(stages) + 1, 1, -1):
            lateral = self.get_submodule(f"fpn_lateral{level}")(stages[level - 2])
            if summed is not None:
                lateral = lateral + functional.interpolate(summed, scale_factor=2.0, mode="nearest")
            summed = lateral
            pyramid.insert(0, self.get_submodule(f"fpn_output{level}")(summed))
        return [*pyramid, functional.max_pool2d(pyramid[-1], 1, 2)]
