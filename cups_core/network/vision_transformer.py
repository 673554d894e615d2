"""Vision transformer of DINO and DINOv2: patches of an image become tokens that see each other.

After Dosovitskiy et al. (ICLR 2021), Caron et al. (ICCV 2021) and Oquab et al. (TMLR 2024); module
names are the key names of their state dicts. `token_features` loads and runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_core.errors import CheckpointError
from cups_core.network.checkpoint_files import Checkpoint

# No tensor's shape tells the number of heads; all of DINO's and DINOv2's are this wide.
HEAD_WIDTH = 64
EXPANSION = 4
EPSILON = 1e-6
# DINO enlarges its position table by a factor that aims at a tenth of a patch more than there are.
SCALE_MARGIN = 0.1


@dataclass(frozen=True)
class TransformerShape:
    """What distinguishes one vision transformer from another.

    Attributes:
        width: channels of a token.
        depth: number of blocks.
        patch: side of a patch, pixels.
        side: patches along one side of the images that it was trained with.
        registers: tokens without a place, DINOv2 only.
        layer_scale: whether each block scales what it adds, DINOv2 only.
    """

    width: int
    depth: int
    patch: int
    side: int
    registers: int = 0
    layer_scale: bool = False

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TransformerShape:
        """Read the shape from the shapes of tensors.

        Raises:
            CheckpointError: they are not those of such a transformer.
        """
        tensors = checkpoint.tensors
        try:
            width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
            _, positions, _ = tensors["pos_embed"].shape
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"{checkpoint.path}: expected a vision transformer with patch_embed.proj.weight "
                "(width, 3, patch, patch) and pos_embed (1, places + 1, width), found neither "
                f"among {len(tensors)} tensors; give a DINO or DINOv2 checkpoint"
            ) from error
        side = math.isqrt(positions - 1)
        if width % HEAD_WIDTH or side * side != positions - 1:
            raise CheckpointError(
                f"{checkpoint.path}: expected a multiple of {HEAD_WIDTH} channels and a square of "
                f"places, found {width} channels and {positions - 1} places; give a DINO or DINOv2 "
                "checkpoint"
            )
        registers = tensors["register_tokens"].shape[1] if "register_tokens" in tensors else 0
        depth = sum(key.startswith("blocks.") and key.endswith(".norm1.bias") for key in tensors)
        return cls(width, depth, patch, side, registers, "blocks.0.ls1.gamma" in tensors)


class _PatchEmbedding(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        split = self.qkv(tokens).view(batch, count, 3, self.heads, HEAD_WIDTH)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class _Perceptron(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, EXPANSION * width)
        self.fc2 = nn.Linear(EXPANSION * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.gamma * tokens


class _Block(nn.Module):
    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, EPSILON)
        self.attn = _Attention(shape.width)
        self.norm2 = nn.LayerNorm(shape.width, EPSILON)
        self.mlp = _Perceptron(shape.width)
        self.ls1 = _LayerScale(shape.width) if shape.layer_scale else nn.Identity()
        self.ls2 = _LayerScale(shape.width) if shape.layer_scale else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))


class VisionTransformer(nn.Module):
    """Images to tokens: one for the whole image, the registers, one per patch."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.side**2 + 1, shape.width))
        if shape.registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, shape.registers, shape.width))
        self.patch_embed = _PatchEmbedding(shape.width, shape.patch)
        self.blocks = nn.Sequential(*(_Block(shape) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.width, EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens of the last block after the final norm.

        Args:
            images: float32 (B, 3, H, W), normalised with ImageNet's mean and deviation.

        Returns:
            (B, 1 + registers + h w, width) where h = H // patch, w = W // patch.
        """
        patches = self.patch_embed.proj(images)
        batch, _, height, width = patches.shape
        tokens = torch.cat(
            [self.cls_token.expand(batch, -1, -1), patches.flatten(2).transpose(1, 2)], 1
        )
        tokens = tokens + self.positions(height, width)
        if self.shape.registers:
            registers = self.register_tokens.expand(batch, -1, -1)
            tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)
        return self.norm(self.blocks(tokens))

    def grid(self, images: Tensor) -> Tensor:
        """Tokens of the patches at their places, (B, width, h, w)."""
        height, width = (side // self.shape.patch for side in images.shape[2:])
        tokens = self(images)[:, 1 + self.shape.registers :]
        return tokens.transpose(1, 2).unflatten(2, (height, width))

    def positions(self, height: int, width: int) -> Tensor:
        """The position table for a grid of patches, (1, 1 + h w, width)."""
        side = self.shape.side
        if (height, width) == (side, side):
            return self.pos_embed
        table = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (side, side)).float()
        if self.shape.registers:
            # The networks with registers were trained with this resizing, the others with the next.
            resized = functional.interpolate(table, (height, width), mode="bicubic", antialias=True)
        else:
            factors = ((height + SCALE_MARGIN) / side, (width + SCALE_MARGIN) / side)
            resized = functional.interpolate(table, scale_factor=factors, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], resized.flatten(2).transpose(1, 2)], 1)
