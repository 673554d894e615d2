"""The models that `benchmark.inference` runs: each network exported in every precision.

The cascade has the weights of the golden numbers, drawn from a rule, and the students random ones:
what a trained network says is easier to quantise, so agreement is a lower limit. Other weights are
given as checkpoints.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmark.golden_network import golden_network
from cups_core.network.cascade.image_batch import ImageBatch
from cups_core.network.export.checkpoint_export import export_checkpoint
from cups_core.network.export.comparison import Image
from cups_core.network.export.settings import TENSORRT, ExportSettings
from cups_core.network.panoptic_checkpoints import load_panoptic, save_safetensors
from cups_core.network.student.panoptic_student import PanopticStudent
from cups_core.network.student.student_checkpoints import load_student, save_student
from cups_core.network.torch_backend import sidecar_of_weights
from cups_core.network.weight_kinds import MOBILENET, RESNET18
from cups_core.runtime.sidecar import sidecar_path, write_sidecar

SEED, THINGS, STUFFS, HEAD_DEVIATION = 7, 11, 16, 0.15
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
    network = load_panoptic(checkpoint) if checkpoint else golden_network(GOLDENS)
    save_safetensors(network, folder / WEIGHTS, {})
    _export(folder, settings, images, wanted)
    return sum(weight.numel() for weight in network.parameters())


def student_models(
    folder: Path,
    settings: ExportSettings,
    images: Sequence[Image],
    checkpoint: Path | None,
    wanted: Sequence[str],
    *,
    backbone: str,
) -> int:
    """The same of a student; random weights know the statistics of the images."""
    student = load_student(checkpoint) if checkpoint else _random_student(backbone, images)
    save_student(student, folder / WEIGHTS, {})
    _export(folder, settings, images, wanted)
    return sum(weight.numel() for weight in student.parameters())


def _random_student(backbone: str, images: Sequence[Image]) -> PanopticStudent:
    torch.manual_seed(SEED)
    student = PanopticStudent(backbone, THINGS, STUFFS).train()
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all that is seen
    for head in (student.semantic_head, student.centre_head, student.offset_head):
        nn.init.normal_(head[-1].weight, std=HEAD_DEVIATION)
    with torch.no_grad():
        for image in images:
            tensor = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)
            student(ImageBatch.of([tensor]).images)
    return student.eval()


def _export(
    folder: Path, settings: ExportSettings, images: Sequence[Image], wanted: Sequence[str]
) -> None:
    weights = folder / WEIGHTS
    described = sidecar_of_weights(weights)
    size = dataclasses.replace(described.input, width=settings.width, height=settings.height)
    write_sidecar(sidecar_path(weights), dataclasses.replace(described, input=size))
    for name in wanted:
        path = folder / f"{name}.onnx"
        if name in VARIANTS and not path.exists():
            one = dataclasses.replace(settings, **VARIANTS[name])
            calibrating = images if one.precision == "int8" else ()
            export_checkpoint(weights, path, one, images=calibrating)


VARIANTS: dict[str, dict[str, str | int]] = {
    "fp32": {},
    "fp32_1000": {"proposals": 1000},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8"},
    "int8_tensorrt": {"precision": "int8", "int8_for": TENSORRT},
}
NETWORKS: dict[str, MakeModels] = {
    "cascade": cascade_models,
    "student": partial(student_models, backbone=MOBILENET),
    "student-resnet18": partial(student_models, backbone=RESNET18),
}
"""By the name of the row; a network that is added here appears in the table."""
