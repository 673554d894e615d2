"""The network of the golden numbers with its weights; both network comparisons and tests use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.golden_folder import GoldenFolder
from benchmark.golden_weights import cascade_rule, draw_weights
from cups_core.network.cascade.panoptic_cascade import PanopticCascade


def golden_network(folder: Path) -> PanopticCascade:
    """The network of a folder, in evaluation mode.

    Raises:
        ValueError: its tensors are not those of the golden numbers.
    """
    calibrated = GoldenFolder(folder, "calib.npz")
    manifest = calibrated.manifest
    with torch.device("meta"):
        network = PanopticCascade(manifest["things"], manifest["stuffs"])
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    counters = {
        key: np.zeros((), np.int64) for key in shapes if key.endswith("num_batches_tracked")
    }
    weights = draw_weights(
        manifest["seed"],
        shapes,
        cascade_rule,
        manifest["state_dict_sha256"],
        {**calibrated.arrays, **counters},
    )
    tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval()


def golden_image(golden: GoldenFolder, name: str) -> Tensor:
    """An image as the network takes it, float32 (3, H, W)."""
    image = golden.image(f"image_{name}.png", golden.manifest["image_sha256"][name])
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255
