"""The models that `benchmark.inference` runs: each network exported in every precision.

The cascade has the weights of the golden numbers, drawn from a rule: what a trained network says is
easier to quantise, so agreement is a lower limit. Other weights are given as a checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.golden_network import golden_network
from cups_core.network.export.checkpoint_export import export_checkpoint
from cups_core.network.export.comparison import Image
from cups_core.network.export.settings import TENSORRT, ExportSettings
from cups_core.network.panoptic_checkpoints import load_panoptic, save_safetensors
from cups_core.network.torch_backend import sidecar_of_weights
from cups_core.runtime.sidecar import sidecar_path, write_sidecar

GOLDENS = Path("test/data/goldens/network")
WEIGHTS = "weights.safetensors"
MakeModels = Callable[[Path, ExportSettings, Sequence[Image], Path | None, Sequence[str]], int]
"""Writes models into a folder: settings but precision, images to calibrate with, a checkpoint or
None for random weights, and the names of the files that are wanted; gives the number of
parameters."""


def cascade_models(
    folder: Path,
    settings: ExportSettings,
    images: Sequence[Image],
    checkpoint: Path | None,
    wanted: Sequence[str],
) -> int:
    """Write the wanted ones of `VARIANTS`, and the weights; exports that are there are kept."""
    weights = folder / WEIGHTS
    network = load_panoptic(checkpoint) if checkpoint else golden_network(GOLDENS)
    save_safetensors(network, weights, {})
    described = sidecar_of_weights(weights)
    size = dataclasses.replace(described.input, width=settings.width, height=settings.height)
    write_sidecar(sidecar_path(weights), dataclasses.replace(described, input=size))
    for name in wanted:
        path = folder / f"{name}.onnx"
        if name in VARIANTS and not path.exists():
            one = dataclasses.replace(settings, **VARIANTS[name])
            export_checkpoint(weights, path, one, images=images if one.precision == "int8" else ())
    return sum(weight.numel() for weight in network.parameters())


VARIANTS: dict[str, dict[str, str | int]] = {
    "fp32": {},
    "fp32_1000": {"proposals": 1000},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8"},
    "int8_tensorrt": {"precision": "int8", "int8_for": TENSORRT},
}
NETWORKS: dict[str, MakeModels] = {"cascade": cascade_models}
"""By the name of the row; a network that is added here appears in the table."""
