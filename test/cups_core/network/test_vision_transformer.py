"""Is the transformer DINO's, and do DINOv2's additions do what its paper says?"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from cups_core.errors import CheckpointError  # noqa: E402
from cups_core.network.checkpoint_files import Checkpoint  # noqa: E402
from cups_core.network.vision_transformer import (  # noqa: E402
    TransformerShape,
    VisionTransformer,
)

DINO = TransformerShape(width=128, depth=2, patch=8, side=4)
DINOV2 = TransformerShape(width=128, depth=2, patch=14, side=4, registers=3, layer_scale=True)


def network_of(shape: TransformerShape) -> VisionTransformer:
    torch.manual_seed(4)
    network = VisionTransformer(shape).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def layer_of(network: VisionTransformer, number: int) -> nn.TransformerEncoderLayer:
    """PyTorch's own layer with the weights of a block."""
    block = network.blocks[number]
    layer = nn.TransformerEncoderLayer(
        128, 2, 512, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
    ).eval()
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": block.attn.qkv.weight,
            "self_attn.in_proj_bias": block.attn.qkv.bias,
            "self_attn.out_proj.weight": block.attn.proj.weight,
            "self_attn.out_proj.bias": block.attn.proj.bias,
            "linear1.weight": block.mlp.fc1.weight,
            "linear1.bias": block.mlp.fc1.bias,
            "linear2.weight": block.mlp.fc2.weight,
            "linear2.bias": block.mlp.fc2.bias,
            "norm1.weight": block.norm1.weight,
            "norm1.bias": block.norm1.bias,
            "norm2.weight": block.norm2.weight,
            "norm2.bias": block.norm2.bias,
        }
    )
    return layer


def test_blocks_are_standard_transformer_layers() -> None:
    network = network_of(DINO)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        patches = network.patch_embed.proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([network.cls_token.expand(2, 1, 128), patches], 1) + network.pos_embed
        for number in range(2):
            tokens = layer_of(network, number)(tokens)
        torch.testing.assert_close(network(images), network.norm(tokens), atol=1e-4, rtol=1e-4)


def test_layer_scale_of_one_and_no_registers_is_dino() -> None:
    plain, scaled = (network_of(DINO), VisionTransformer(TransformerShape(128, 2, 8, 4, 0, True)))
    state = scaled.state_dict() | plain.state_dict()
    scaled.load_state_dict(state)
    images = torch.randn(1, 3, 24, 48)
    with torch.no_grad():
        torch.testing.assert_close(scaled(images), plain(images))
        for block in scaled.blocks:
            nn.init.zeros_(block.ls1.gamma)
            nn.init.zeros_(block.ls2.gamma)
        untouched = torch.cat(
            [scaled.cls_token, scaled.patch_embed.proj(images).flatten(2).transpose(1, 2)], 1
        )
        torch.testing.assert_close(scaled(images), scaled.norm(untouched + scaled.positions(3, 6)))


def test_registers_take_part_without_a_place_and_are_left_out_of_the_grid() -> None:
    network = network_of(DINOV2)
    images = torch.randn(1, 3, 42, 84)
    with torch.no_grad():
        tokens, grid = network(images), network.grid(images)
        assert tokens.shape == (1, 1 + 3 + 3 * 6, 128)
        assert grid.shape == (1, 128, 3, 6)
        assert torch.equal(grid[0, :, 1, 2], tokens[0, 1 + 3 + 6 + 2])
        nn.init.zeros_(network.register_tokens)
        assert not torch.allclose(network.grid(images), grid)


def test_positions_at_the_trained_size_are_the_stored_ones() -> None:
    for shape in (DINO, DINOV2):
        network = network_of(shape)
        assert network.positions(4, 4) is network.pos_embed


def test_each_family_resizes_positions_as_it_was_trained() -> None:
    dino, dinov2 = network_of(DINO), network_of(DINOV2)
    with torch.no_grad():
        found = dino.positions(3, 7)
        table = dino.pos_embed[:, 1:].reshape(1, 4, 4, 128).permute(0, 3, 1, 2)
        expected = functional.interpolate(table, scale_factor=(3.1 / 4, 7.1 / 4), mode="bicubic")
        assert torch.equal(found[:, 1:], expected.permute(0, 2, 3, 1).reshape(1, 21, 128))
        assert torch.equal(found[:, :1], dino.pos_embed[:, :1])
        table = dinov2.pos_embed[:, 1:].reshape(1, 4, 4, 128).permute(0, 3, 1, 2)
        expected = functional.interpolate(table, (3, 7), mode="bicubic", antialias=True)
        assert torch.equal(
            dinov2.positions(3, 7)[:, 1:], expected.permute(0, 2, 3, 1).reshape(1, 21, 128)
        )


@pytest.mark.parametrize("shape", [DINO, DINOV2], ids=["DINO", "DINOv2 with registers"])
def test_the_shape_is_read_from_the_tensors(shape: TransformerShape) -> None:
    state = VisionTransformer(shape).state_dict()
    assert TransformerShape.of(Checkpoint(Path("vit.pth"), "", state)) == shape


def test_other_networks_are_named() -> None:
    resnet = {"conv1.weight": torch.ones(64, 3, 7, 7), "fc.bias": torch.ones(1000)}
    with pytest.raises(CheckpointError, match=r"rn50\.pth: expected a vision transformer"):
        TransformerShape.of(Checkpoint(Path("rn50.pth"), "", resnet))
    odd = VisionTransformer(DINO).state_dict() | {"pos_embed": torch.ones(1, 12, 128)}
    with pytest.raises(CheckpointError, match="a square of places, found 128 channels and 11"):
        TransformerShape.of(Checkpoint(Path("odd.pth"), "", odd))
