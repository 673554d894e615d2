"""RAFT-large in the form of the SMURF weights: two encoders, correlation, a recurrent update.

After Teed and Deng, "RAFT" (ECCV 2020) and Stone et al., "SMURF" (CVPR 2021); `raft_estimator`
loads and runs it. Module names are the key names of `raft_smurf.pt` without their prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_core.network.correlation import CHANNELS, Correlation

STRIDE = 8
FEATURES = 256
HIDDEN = 128
MOTION = 128
# Channels of the context in what the recurrent units take: hidden state, context, motion.
CONTEXT = slice(HIDDEN, 2 * HIDDEN)
UPSAMPLING_CHANNELS = 9 * STRIDE**2
# Keeps the gradients of the upsampling weights in balance in training; part of the weights since.
MASK_SCALE = 0.25


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """What RAFT needs to know of a batch of images, at an eighth of their size.

    Attributes:
        features: float32 (B, 256, h, w), to correlate with.
        hidden: (B, 128, h, w), the first state of the update.
        context: (B, 128, h, w), what the update knows of the image in every iteration.
    """

    features: Tensor
    hidden: Tensor
    context: Tensor

    def rows(self, chosen: Sequence[int]) -> EncodedImages:
        """Some of the images, in the given order; one may come several times."""
        index = list(chosen)
        return EncodedImages(self.features[index], self.hidden[index], self.context[index])

    def joined(self, others: EncodedImages) -> EncodedImages:
        """These images and then the others."""
        return EncodedImages(
            torch.cat([self.features, others.features]),
            torch.cat([self.hidden, others.hidden]),
            torch.cat([self.context, others.context]),
        )


def _conv_norm_relu(inputs: int, outputs: int, window: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, window, stride, window // 2),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a projection where the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convnormrelu1 = _conv_norm_relu(inputs, outputs, 3, stride)
        self.convnormrelu2 = _conv_norm_relu(outputs, outputs, 3)
        self.downsample = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), nn.InstanceNorm2d(outputs))
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return torch.relu(self.downsample(images) + self.convnormrelu2(self.convnormrelu1(images)))


class Encoder(nn.Module):
    """Residual network from an image to 256 channels at an eighth of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.convnormrelu = _conv_norm_relu(3, 64, 7, 2)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, 1), ResidualBlock(64, 64, 1))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, 2), ResidualBlock(96, 96, 1))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, 2), ResidualBlock(128, 128, 1))
        self.conv = nn.Conv2d(128, FEATURES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 256, H / 8, W / 8)."""
        return self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(images)))))


def _conv_relu(inputs: int, outputs: int, window: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, window, padding=window // 2), nn.ReLU(inplace=True)
    )


class MotionEncoder(nn.Module):
    """Describes the present flow and how well it matches."""

    def __init__(self) -> None:
        super().__init__()
        self.convcorr1 = _conv_relu(CHANNELS, 256, 1)
        self.convcorr2 = _conv_relu(256, 192, 3)
        self.convflow1 = _conv_relu(2, 128, 7)
        self.convflow2 = _conv_relu(128, 64, 3)
        self.conv = _conv_relu(192 + 64, MOTION - 2, 3)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        """(B, 2, h, w) and (B, 324, h, w) to (B, 128, h, w)."""
        matching = self.convcorr2(self.convcorr1(correlation))
        moving = self.convflow2(self.convflow1(flow))
        joint = self.conv(torch.cat([matching, moving], 1))
        return torch.cat([joint, flow.to(joint.dtype)], 1)


class ConvGru(nn.Module):
    """A gated recurrent unit whose gates see a row or a column of five pixels."""

    def __init__(self, window: tuple[int, int]) -> None:
        super().__init__()
        inputs = HIDDEN + HIDDEN + MOTION
        padding = (window[0] // 2, window[1] // 2)
        self.convz = nn.Conv2d(inputs, HIDDEN, window, padding=padding)
        self.convr = nn.Conv2d(inputs, HIDDEN, window, padding=padding)
        self.convq = nn.Conv2d(inputs, HIDDEN, window, padding=padding)

    def of_context(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What the context adds to both gates (B, 256, h, w) and the candidate (B, 128, h, w).

        It is the same in every iteration: a third of the unit's work is done once.
        """
        gates, bias = self._gates()
        weight, padding = self.convq.weight, self.convq.padding
        return (
            functional.conv2d(context, gates[:, CONTEXT], bias, padding=padding),
            functional.conv2d(context, weight[:, CONTEXT], self.convq.bias, padding=padding),
        )

    def forward(self, hidden: Tensor, motion: Tensor, fixed: tuple[Tensor, Tensor]) -> Tensor:
        """The next hidden state, (B, 128, h, w), given `of_context` as `fixed`."""
        gates, _ = self._gates()
        padding = self.convq.padding
        seen = torch.cat([hidden, motion], 1)
        opened = functional.conv2d(seen, _without_context(gates), padding=padding) + fixed[0]
        update, reset = torch.sigmoid(opened).chunk(2, 1)
        seen = torch.cat([reset * hidden, motion], 1)
        candidate = functional.conv2d(seen, _without_context(self.convq.weight), padding=padding)
        return torch.lerp(hidden, torch.tanh(candidate + fixed[1]), update)

    def _gates(self) -> tuple[Tensor, Tensor]:
        return (
            torch.cat([self.convz.weight, self.convr.weight]),
            torch.cat([self.convz.bias, self.convr.bias]),
        )


def _without_context(weight: Tensor) -> Tensor:
    return torch.cat([weight[:, : CONTEXT.start], weight[:, CONTEXT.stop :]], 1)


class RecurrentBlock(nn.Module):
    """A recurrent update over rows, then over columns."""

    def __init__(self) -> None:
        super().__init__()
        self.convgru1 = ConvGru((1, 5))
        self.convgru2 = ConvGru((5, 1))


class FlowHead(nn.Module):
    """Reads the step of the flow from the hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, 128, h, w) to (B, 2, h, w)."""
        return self.conv2(torch.relu(self.conv1(hidden)))


class UpdateBlock(nn.Module):
    """One iteration's network."""

    def __init__(self) -> None:
        super().__init__()
        self.motion_encoder = MotionEncoder()
        self.recurrent_block = RecurrentBlock()
        self.flow_head = FlowHead()


class MaskPredictor(nn.Module):
    """Weights with which each fine pixel mixes the nine coarse flows around it."""

    def __init__(self) -> None:
        super().__init__()
        self.convrelu = _conv_relu(HIDDEN, 256, 3)
        self.conv = nn.Conv2d(256, UPSAMPLING_CHANNELS, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, 128, h, w) to (B, 576, h, w)."""
        return MASK_SCALE * self.conv(self.convrelu(hidden))


class Raft(nn.Module):
    """Optical flow by repeated look-up and correction."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_encoder = Encoder()
        self.context_encoder = Encoder()
        self.update_block = UpdateBlock()
        self.mask_predictor = MaskPredictor()

    def encode(self, images: Tensor) -> EncodedImages:
        """Encode images once for every pair that they take part in.

        Args:
            images: float32 (B, 3, H, W), RGB from -1 to 1, H and W multiples of 8, at least 64.
        """
        hidden, context = self.context_encoder(images).split(HIDDEN, 1)
        return EncodedImages(
            self.feature_encoder(images).float(), torch.tanh(hidden), torch.relu(context)
        )

    def match(
        self,
        first: EncodedImages,
        second: EncodedImages,
        iterations: int,
        start: Tensor | None = None,
    ) -> Tensor:
        """Flow from each first image to the second one of the same row.

        Args:
            first: B images.
            second: B images.
            iterations: number of corrections.
            start: float32 (B, 2, h, w), a first guess in pixels of the encoded size.

        Returns:
            float32 (B, 2, 8 h, 8 w), pixels of the image: x right, y down.
        """
        correlation = Correlation(first.features, second.features)
        batch, _, height, width = first.features.shape
        origin = _grid(first.features).expand(batch, 2, height, width)
        points = origin if start is None else origin + start
        hidden = first.hidden
        update = self.update_block
        rows, columns = update.recurrent_block.convgru1, update.recurrent_block.convgru2
        for_rows, for_columns = rows.of_context(first.context), columns.of_context(first.context)
        for _ in range(iterations):
            motion = update.motion_encoder(points - origin, correlation.around(points))
            hidden = columns(rows(hidden, motion, for_rows), motion, for_columns)
            points = points + update.flow_head(hidden).float()
        return _upsampled(points - origin, self.mask_predictor(hidden).float())


def _grid(features: Tensor) -> Tensor:
    """Pixel coordinates (1, 2, h, w): x, y."""
    height, width = features.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=features.device),
        torch.arange(width, dtype=torch.float32, device=features.device),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def _upsampled(flow: Tensor, mask: Tensor) -> Tensor:
    """The flow at eight times the size: each pixel a convex mix of nine coarse neighbours."""
    batch, _, height, width = flow.shape
    weights = mask.view(batch, 1, 9, STRIDE, STRIDE, height, width).softmax(2)
    around = functional.unfold(STRIDE * flow, 3, padding=1)
    mixed = (weights * around.view(batch, 2, 9, 1, 1, height, width)).sum(2)
    return mixed.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)
