"""Panoptic Cascade Mask R-CNN from the checkpoints that people have, and back into detectron2's.

Inference and training get their weights here; `cups checkpoint inspect` compares with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cups_core.errors import CheckpointError
from cups_core.network import safetensors_files
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.checkpoint_files import Checkpoint, load_weights, read_checkpoint
from cups_core.network.weight_differences import Shape
from cups_core.network.weight_kinds import MADE_BY, STUDENT, WeightFile, recognised

MASKS = "roi_heads.mask_head.predictor.bias"
BOXES = "roi_heads.box_predictor.0.cls_score.bias"
SEMANTICS = "sem_seg_head.predictor.bias"
EXPECTED = "Panoptic Cascade Mask R-CNN with ResNet-50, as CUPS, U2Seg and detectron2 store it"


def load_panoptic(
    path: Path, network: str = STUDENT, classes: tuple[int, int] | None = None
) -> PanopticCascade:
    """The network of a file, in evaluation mode.

    Args:
        path: a checkpoint of CUPS, a panoptic file of detectron2, or one of `save_safetensors`.
        network: student or teacher, where a file holds both.
        classes: how many things and stuffs are expected; None = those of the file.

    Raises:
        CheckpointError: it is missing, damaged, something else, would run code, or has other
            classes.
    """
    weights = panoptic_part(read_checkpoint(path), network)
    things, stuffs = classes_of(weights)
    if classes is not None and classes != (things, stuffs):
        raise CheckpointError(
            f"{path}: expected {classes[0]} things and {classes[1]} stuffs, found {things} and "
            f"{stuffs}: it was trained on other pseudo-classes; give the class names that belong "
            "to it"
        )
    with torch.device("meta"):
        made = PanopticCascade(things, stuffs)
    made.to_empty(device="cpu")
    load_weights(made, weights, EXPECTED)
    return made.eval()


def panoptic_part(checkpoint: Checkpoint, network: str = STUDENT) -> Checkpoint:
    """The student's or the teacher's tensors in detectron2's names.

    Raises:
        CheckpointError: the file holds no such network.
    """
    file = recognised(checkpoint)
    if network not in file.parts:
        held = ", ".join(file.parts) or "other things"
        raise CheckpointError(
            f"{checkpoint.path}: expected the {network} of {EXPECTED}, found {held} "
            f"({file.kind.value}): `cups checkpoint inspect` says what it is"
        )
    return file.parts[network]


def classes_of(weights: Checkpoint) -> tuple[int, int]:
    """How many things and stuffs a panoptic network knows.

    Raises:
        CheckpointError: its parts do not agree, or are not there.
    """
    rows = {
        key: weights.tensors[key] for key in (MASKS, BOXES, SEMANTICS) if key in weights.tensors
    }
    if len(rows) < 3 or any(tensor.ndim != 1 for tensor in rows.values()):
        raise CheckpointError(
            f"{weights.path}: expected {EXPECTED}, with {MASKS}, {BOXES} and {SEMANTICS}; found "
            f"{', '.join(rows) or 'none of them'}"
        )
    masks, boxes, channels = (len(rows[key]) for key in (MASKS, BOXES, SEMANTICS))
    if masks != boxes - 1:
        explained = (
            "one mask for all classes, which is another network"
            if masks == 1
            else "parts of two networks"
        )
        raise CheckpointError(
            f"{weights.path}: its boxes know {boxes - 1} things and its masks {masks}: {explained}"
        )
    if not masks or channels < 2:
        raise CheckpointError(
            f"{weights.path}: expected at least one thing and one stuff, found {masks} and "
            f"{channels - 1}"
        )
    return masks, channels - 1


def panoptic_shapes(things: int, stuffs: int) -> dict[str, Shape]:
    """Key and shape of each of the 431 tensors."""
    with torch.device("meta"):
        return _shapes(PanopticCascade(things, stuffs).state_dict())


def backbone_shapes() -> dict[str, Shape]:
    """Key and shape of each tensor of the backbone, in the names of a backbone file."""
    with torch.device("meta"):
        return _shapes(PanopticCascade(1, 1).backbone.bottom_up.state_dict())


def load_backbone(network: PanopticCascade, path: Path) -> WeightFile:
    """Give the backbone the weights of a ResNet-50, of detectron2's form or torchvision's.

    Returns:
        What the file was, with the keys that have no place in the backbone.

    Raises:
        CheckpointError: it is missing, damaged, another network, or would run code.
    """
    file = recognised(read_checkpoint(path))
    if "backbone" not in file.parts:
        raise CheckpointError(
            f"{path}: expected a ResNet-50 by the names of detectron2 (stem.conv1.weight, "
            f"res2.0...) or torchvision (conv1.weight, layer1.0...), found {file.kind.value}"
        )
    load_weights(network.backbone.bottom_up, file.parts["backbone"], "a ResNet-50")
    return file


def save_detectron2(network: PanopticCascade, path: Path) -> None:
    """Write the weights as detectron2's and the reference's loaders read them, a .pth file."""
    state = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
    torch.save({"model": state, "__author__": MADE_BY[1]}, path)


def save_safetensors(network: PanopticCascade, path: Path, about: Mapping[str, str]) -> None:
    """Write the weights in our own form, with some words about where they come from."""
    safetensors_files.write(path, network.state_dict(), {**about, MADE_BY[0]: MADE_BY[1]})


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}
