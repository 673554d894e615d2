"""The models that `benchmark.inference` runs: each network exported in every precision.

The cascade has the weights of the golden numbers, drawn from a rule, and the students random ones:
what a trained network says is easier to quantise, so agreement is a lower limit. Other weights are
given as checkpoints.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmark.golden_network import golden_network
from cups_core.network.checkpoint_files import read_checkpoint
from cups_core.network.export.checkpoint_export import export_checkpoint
from cups_core.network.export.comparison import Image
from cups_core.network.export.settings import TENSORRT, ExportSettings
from cups_core.network.panoptic_checkpoints import save_safetensors
from cups_core.network.student.panoptic_student import PanopticStudent
from cups_core.network.student.student_checkpoints import save_student
from cups_core.network.torch_backend import sidecar_of_weights
from cups_core.runtime.sidecar import sidecar_path, write_sidecar

GOLDENS = Path("test/data/goldens/network")
WEIGHTS = "weights.safetensors"
THINGS, STUFFS = 5, 22
VARIANTS: dict[str, dict[str, str | int]] = {
    "fp32": {},
    "fp32_1000": {"proposals": 1000},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8"},
    "int8_tensorrt": {"precision": "int8", "int8_for": TENSORRT},
}
"""Settings of each model by the name of its file."""
WITH_REGIONS = ("fp32_1000",)


def _cascade(path: Path) -> None:
    save_safetensors(golden_network(GOLDENS), path, {})


def _student(backbone: str, path: Path) -> None:
    torch.manual_seed(0)
    save_student(PanopticStudent(backbone, THINGS, STUFFS), path, {})


CASCADE = "cascade"
NETWORKS: dict[str, Callable[[Path], None]] = {
    CASCADE: _cascade,
    "student-resnet18": partial(_student, "resnet18"),
    "student-mobilenet": partial(_student, "mobilenet_v3_large"),
}
"""What writes the weights of each network; one that is added here gets a table."""


def write_models(
    network: str,
    folder: Path,
    settings: ExportSettings,
    images: Sequence[Image],
    checkpoint: Path | None,
    wanted: Collection[str],
) -> float:
    """Write weights and the wanted models; models that are there are kept.

    Args:
        network: one of `NETWORKS`.
        folder: where.
        settings: size and proposals.
        images: to calibrate with.
        checkpoint: weights in place of those of `NETWORKS`.
        wanted: names of files, of `VARIANTS`; others are not this function's.

    Returns:
        Millions of parameters.
    """
    weights = folder / WEIGHTS
    if checkpoint:
        weights.write_bytes(checkpoint.read_bytes())
    else:
        NETWORKS[network](weights)
    described = sidecar_of_weights(weights)
    size = dataclasses.replace(described.input, width=settings.width, height=settings.height)
    write_sidecar(sidecar_path(weights), dataclasses.replace(described, input=size))
    for name in set(wanted) & set(VARIANTS):
        path = folder / f"{name}.onnx"
        if not path.exists() and (network == CASCADE or name not in WITH_REGIONS):
            one = dataclasses.replace(settings, **VARIANTS[name])
            export_checkpoint(weights, path, one, images=images if one.precision == "int8" else ())
    tensors = read_checkpoint(weights).tensors
    return sum(tensor.numel() for key, tensor in tensors.items() if "running_" not in key) / 1e6
