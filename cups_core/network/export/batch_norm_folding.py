"""Batch normalisation as part of the convolutions before it, where nothing is trained any more.

Exports fold first: quantisation must see the weights that are really used.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cups_core.network.cascade.convolution import NormedConvolution


def fold(network: nn.Module) -> None:
    """Fold every batch normalisation of a network in evaluation mode, in place."""
    for layer in network.modules():
        if isinstance(layer, NormedConvolution) and isinstance(layer.norm, nn.BatchNorm2d):
            norm = layer.norm
            layer.weight, layer.bias = fuse_conv_bn_weights(
                layer.weight,
                layer.bias,
                norm.running_mean,
                norm.running_var,
                norm.eps,
                norm.weight,
                norm.bias,
            )
            layer.norm = nn.Identity()
