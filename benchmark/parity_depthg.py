"""DepthG against golden numbers, part by part; `benchmark.parity` and the tests call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
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
from cups_core.semantics.code_similarity import log_probabilities
from cups_core.semantics.depth_guided import (
    fuse,
    low_resolution_codes,
    low_resolution_share,
    sliding_log_probabilities,
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
    view = SceneView(image, golden.arrays["depth"])
    return {
        **_of_the_transformer(golden, network, view),
        **_of_inference(golden, network, view),
    }


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


def _of_inference(golden: GoldenFolder, network: DepthG, view: SceneView) -> dict[str, float]:
    """Both branches and what they make together."""
    codes = low_resolution_codes(view, network)
    low = log_probabilities(codes, network.centroids, *view.shape)
    high = sliding_log_probabilities(view, network, network.centroids)
    fused = high.copy()
    fuse(low, fused, low_resolution_share(view.depth_m))
    found = {"lowres_code": golden.difference("lowres_code", codes)}
    for name, values in (("slide", high), ("lowres", low), ("fused", fused)):
        winners = golden.picture(f"argmax_{name}.png")[None].astype(np.int64)
        found[f"{name}_logprob"] = golden.difference(f"{name}_logprob", values)
        # Where another class wins here, by how much.
        behind = values.max(0) - np.take_along_axis(values, winners, 0)[0]
        found[f"argmax_{name}"] = float(behind.max())
    return found


def _of_the_transformer(golden: GoldenFolder, network: DepthG, view: SceneView) -> dict[str, float]:
    """Codes of the whole view, tokens, last attention and position tables."""
    transformer = network.features.network
    last = transformer.blocks[-1].attn
    inside: dict[str, Tensor] = {}
    hooks = [
        last.register_forward_hook(lambda _, given, __: inside.update(attended=given[0][0])),
        transformer.norm.register_forward_hook(lambda _, __, made: inside.update(tokens=made[0])),
    ]
    codes = network.codes([view])[0]
    for hook in hooks:
        hook.remove()
    with torch.inference_mode():
        split = last.qkv(inside["attended"]).unflatten(1, (3, last.heads, HEAD_WIDTH))
        queries, keys, _ = split.unbind(1)
        likeness = torch.einsum("hd,nhd->hn", queries[0], keys) / HEAD_WIDTH**0.5
    found = {
        "code_full": golden.difference("code_full", codes),
        "tokens_full": golden.difference("tokens_full", inside["tokens"].numpy()),
        "attention_full_cls_row": golden.difference(
            "attention_full_cls_row", likeness.softmax(1).numpy()
        ),
    }
    for name in golden.arrays:
        if name.startswith("pos_embed_") and name.endswith("_shape"):
            table = name.removesuffix("_shape")
            sides = (int(side) for side in table.removeprefix("pos_embed_").split("x"))
            height, width = (side // network.cell_px for side in sides)
            found[table] = golden.difference(
                table, transformer.positions(height, width)[0].detach().numpy()
            )
    return found
