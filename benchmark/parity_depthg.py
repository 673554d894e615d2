"""DepthG against golden numbers, part by part; `benchmark.parity` and the tests call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.golden_folder import GoldenFolder
from benchmark.golden_weights import Shape, depthg_rule, draw_weights
from cups_core.network.checkpoint_files import Checkpoint
from cups_core.network.depthg import DepthG
from cups_core.network.segmentation_head import SegmentationHead
from cups_core.network.settings import ComputeSettings
from cups_core.network.vision_transformer import (
    HEAD_WIDTH,
    TransformerShape,
    VisionTransformer,
)
from cups_core.semantics.scene_view import SceneView

WIDTH_AND_DEPTH = {"vit_small": (384, 12), "vit_base": (768, 12)}
# Side of the images that DINO was trained with.
TRAINING_PX = 224


def compare(folder: Path) -> dict[str, float]:
    """Largest absolute difference by part; none has a unit."""
    golden = GoldenFolder(folder, "depthg.npz")
    manifest = golden.manifest
    drawn = draw_weights(
        manifest["seed"], _shapes(manifest), depthg_rule, manifest["state_dict_sha256"]
    )
    weights = {key: torch.from_numpy(value) for key, value in drawn.items()}
    checkpoint = Checkpoint(folder, manifest["state_dict_sha256"], weights)
    network = DepthG(checkpoint, None, ComputeSettings(device="cpu"))
    image = golden.image("image.png", manifest["image_sha256"])
    depth = golden.arrays["depth"]
    view = SceneView(image, np.where(depth > 0, depth, np.float32(np.nan)))
    found = {"code_full": golden.difference("code_full", network.codes([view])[0])}
    with torch.inference_mode():
        found |= _of_the_transformer(golden, network, image)
    return found


def _shapes(manifest: dict[str, Any]) -> dict[str, Shape]:
    """Key and shape of every tensor of a DepthG checkpoint."""
    width, depth = WIDTH_AND_DEPTH[manifest["arch"]]
    patch = manifest["patch"]
    with torch.device("meta"):
        transformer = VisionTransformer(TransformerShape(width, depth, patch, TRAINING_PX // patch))
        head = SegmentationHead(width, manifest["dim"])
    return {
        **{f"net.model.{key}": tuple(item.shape) for key, item in transformer.state_dict().items()},
        **{f"net.{key}": tuple(item.shape) for key, item in head.state_dict().items()},
        "cluster_probe.clusters": (manifest["clusters"], manifest["dim"]),
    }


def _of_the_transformer(
    golden: GoldenFolder, network: DepthG, image: NDArray[np.uint8]
) -> dict[str, float]:
    """Tokens, last attention and position tables."""
    transformer = network.features.network
    seen: list[Tensor] = []
    last = transformer.blocks[-1].attn
    hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    tokens = transformer(network.features.normalised(image[None]))[0]
    hook.remove()
    queries, keys, _ = last.qkv(seen[0][0]).unflatten(1, (3, last.heads, HEAD_WIDTH)).unbind(1)
    likeness = torch.einsum("hd,nhd->hn", queries[0], keys) / HEAD_WIDTH**0.5
    found = {
        "tokens_full": golden.difference("tokens_full", tokens.numpy()),
        "attention_full_cls_row": golden.difference(
            "attention_full_cls_row", likeness.softmax(1).numpy()
        ),
    }
    for name in golden.arrays:
        if name.startswith("pos_embed_") and name.endswith("_shape"):
            table = name.removesuffix("_shape")
            sides = (int(side) for side in table.removeprefix("pos_embed_").split("x"))
            height, width = (side // network.cell_px for side in sides)
            found[table] = golden.difference(table, transformer.positions(height, width)[0].numpy())
    return found
