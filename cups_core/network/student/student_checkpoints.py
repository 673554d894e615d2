"""Weights of the student: its own files, and ImageNet's for its backbone.

Inference and training get their weights here; `cups checkpoint inspect` compares with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cups_core.errors import CheckpointError
from cups_core.network import safetensors_files
from cups_core.network.checkpoint_files import Checkpoint, load_weights, read_checkpoint
from cups_core.network.student.panoptic_student import BACKBONES, PanopticStudent
from cups_core.network.weight_differences import Shape
from cups_core.network.weight_kinds import (
    MADE_BY,
    MOBILENET,
    ONE_STAGE,
    RESNET18,
    WeightFile,
    recognised,
)

COUNTS = "counts"
# A tensor that only this backbone has.
SIGNS = {
    MOBILENET: "backbone.features.0.0.weight",
    RESNET18: "backbone.conv1.weight",
}
EXPECTED = "a one-stage network of this software"


def load_student(path: Path, classes: tuple[int, int] | None = None) -> PanopticStudent:
    """The network of a file, in evaluation mode.

    Args:
        path: a file of `save_student`.
        classes: how many things and stuffs are expected; None = those of the file.

    Raises:
        CheckpointError: it is missing, damaged, something else, would run code, or has other
            classes.
    """
    file = recognised(read_checkpoint(path))
    if ONE_STAGE not in file.parts:
        raise CheckpointError(
            f"{path}: expected {EXPECTED}, found {file.kind.value}: `cups checkpoint inspect` says "
            "what it is"
        )
    weights = file.parts[ONE_STAGE]
    backbone, things, stuffs = plan_of(weights)
    if classes is not None and classes != (things, stuffs):
        raise CheckpointError(
            f"{path}: expected {classes[0]} things and {classes[1]} stuffs, found {things} and "
            f"{stuffs}: it was trained on other classes; give the class names that belong to it"
        )
    with torch.device("meta"):
        made = PanopticStudent(backbone, things, stuffs)
    made.to_empty(device="cpu")
    load_weights(made, weights, EXPECTED)
    return made.eval()


def save_student(student: PanopticStudent, path: Path, about: Mapping[str, str]) -> None:
    """Write the weights as safetensors, with some words about where they come from."""
    safetensors_files.write(path, student.state_dict(), {**about, MADE_BY[0]: MADE_BY[1]})


def load_student_backbone(student: PanopticStudent, path: Path) -> WeightFile:
    """Give the backbone the weights of torchvision's network of that name.

    Returns:
        What the file was, with the classifier's keys, which have no place in the backbone.

    Raises:
        CheckpointError: it is missing, damaged, another network, or would run code.
    """
    name = next(name for name, kind in BACKBONES.items() if isinstance(student.backbone, kind))
    file = recognised(read_checkpoint(path))
    if name not in file.parts:
        raise CheckpointError(
            f"{path}: expected {name} by the names of torchvision, found {file.kind.value}: give "
            "the weights of that backbone, or make the student with another one"
        )
    load_weights(student.backbone, file.parts[name], name)
    return file


def plan_of(weights: Checkpoint) -> tuple[str, int, int]:
    """Backbone, things and stuffs of the student in a file.

    Raises:
        CheckpointError: its parts do not agree, or are not there.
    """
    backbones = [name for name, sign in SIGNS.items() if sign in weights.tensors]
    counts = weights.tensors.get(COUNTS)
    rows = weights.tensors.get("semantic_head.1.bias")
    if len(backbones) != 1 or counts is None or counts.shape != (2,) or rows is None:
        raise CheckpointError(
            f"{weights.path}: expected {EXPECTED}, with one backbone of {', '.join(SIGNS)}, "
            f"{COUNTS} of things and stuffs, and a semantic head; found "
            f"{' and '.join(backbones) or 'no backbone'}"
        )
    things, stuffs = (int(count) for count in counts)
    if min(things, stuffs) < 1 or things + stuffs != len(rows):
        raise CheckpointError(
            f"{weights.path}: it says {things} things and {stuffs} stuffs, its semantic head knows "
            f"{len(rows)} classes: damaged, or parts of two networks; get the file again"
        )
    return backbones[0], things, stuffs


def student_shapes(backbone: str, things: int, stuffs: int) -> dict[str, Shape]:
    """Key and shape of each tensor of a student."""
    with torch.device("meta"):
        return _shapes(PanopticStudent(backbone, things, stuffs))


def student_backbone_shapes(backbone: str) -> dict[str, Shape]:
    """Key and shape of each tensor of a backbone, in torchvision's names."""
    with torch.device("meta"):
        return _shapes(BACKBONES[backbone]())


def _shapes(network: nn.Module) -> dict[str, Shape]:
    state: Mapping[str, Tensor] = network.state_dict()
    return {key: tuple(tensor.shape) for key, tensor in state.items()}
