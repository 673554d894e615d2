"""RAFT against golden numbers, part by part; `benchmark.parity` and the tests call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.golden_folder import GoldenFolder, largest_difference
from benchmark.golden_weights import draw_weights, raft_rule
from cups_core.network.correlation import Correlation
from cups_core.network.raft import Raft

PREFIX = "raft."


def compare(folder: Path) -> dict[str, float]:
    """Largest absolute difference by part: features (no unit) and flow and disparity (pixels)."""
    golden = GoldenFolder(folder, "raft.npz")
    network = _golden_network(golden)
    hashes = golden.manifest["image_sha256"]
    images = [golden.image(f"image_{number}.png", hashes[number]) for number in ("1", "2")]
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        encoded = network.encode(2 * stacked - 1)
        context = network.context_encoder(2 * stacked[:1] - 1)
        first, second = encoded.rows([0]), encoded.rows([1])
        read = _correlation_beside_the_grid(first.features, second.features)
        forward = {f"flow12_it{count}": network.match(first, second, count) for count in (1, 4, 16)}
        backward = network.match(second, first, 4)
    flows = {name: flow[0].numpy() for name, flow in forward.items()}
    flows["flow21_it4"] = backward[0].numpy()
    found = {
        "fmaps": golden.difference("fmaps", encoded.features.numpy()),
        "context": golden.difference("context", context.numpy()),
        "corr_at_grid_plus_0.37": golden.difference("corr_at_grid_plus_0.37", read.numpy()),
        "corr_pixel_y5_x9": largest_difference(
            read[0, :, 5, 9].numpy(), golden.arrays["corr_pixel_y5_x9"]
        ),
    }
    for name, flow in flows.items():
        found[name] = max(
            golden.difference(name, flow),
            largest_difference(flow[:, 64], golden.arrays[f"{name}_row64"]),
            largest_difference(flow.mean((1, 2)), golden.arrays[f"{name}_channel_mean"]),
        )
    along = flows["flow12_it4"][0, 64]
    for name, sign in (("forward", -1), ("backward", 1)):
        found[f"disparity_{name}_it4"] = largest_difference(
            np.maximum(0, sign * along), golden.arrays[f"disparity_{name}_it4_row64"]
        )
    return found


def _golden_network(golden: GoldenFolder) -> Raft:
    network = Raft().eval()
    shapes = {PREFIX + key: tuple(value.shape) for key, value in network.state_dict().items()}
    manifest = golden.manifest
    weights = draw_weights(manifest["seed"], shapes, raft_rule, manifest["state_dict_sha256"])
    network.load_state_dict(
        {key.removeprefix(PREFIX): torch.from_numpy(value) for key, value in weights.items()}
    )
    return network


def _correlation_beside_the_grid(first: Tensor, second: Tensor) -> Tensor:
    y, x = torch.meshgrid(*(torch.arange(float(size)) for size in first.shape[2:]), indexing="ij")
    return Correlation(first, second).around(torch.stack([x, y])[None] + 0.37)
