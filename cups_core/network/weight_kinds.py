"""What a file of weights is, told by the names of its tensors, and its parts in our names.

`panoptic_checkpoints` loads from it, and `cups checkpoint inspect` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from cups_core.network.checkpoint_files import Checkpoint

PANOPTIC_SIGN = "backbone.bottom_up.stem.conv1.weight"
ONE_STAGE_SIGN = "offset_head.1.weight"
STUDENT, TEACHER = "student", "teacher"
# The small network of `cups_core.network.student` and its backbones.
ONE_STAGE, RESNET18, MOBILENET = "one_stage", "resnet18", "mobilenet_v3_large"
# What `panoptic_checkpoints` writes into files of ours.
MADE_BY = ("made_by", "CUPS for ROS 2")
LIGHTNING_PREFIXES = {"model.", "teacher_model.model.", "teacher_model."}
COUNTER, MEAN = "num_batches_tracked", "running_mean"


class WeightKind(Enum):
    """Files that people have; the value names the row in the ledger `docs/weights.md`."""

    OWN = "own"
    ONE_STAGE = "own-one-stage"
    CUPS = "cups"
    PANOPTIC = "detectron2-panoptic"
    BACKBONE = "detectron2-resnet50"
    TORCHVISION = "torchvision-resnet50"
    RESNET18 = "torchvision-resnet18"
    MOBILENET = "torchvision-mobilenet-v3-large"
    RAFT = "raft-smurf"
    DEPTHG = "depthg"
    TRANSFORMER = "dino-vit"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class WeightFile:
    """A file of weights.

    Attributes:
        kind: what it is.
        parts: the networks in it, by what they are: student and teacher of a panoptic network, or
            its backbone, with the names of detectron2; or the one-stage network, or one of its
            backbones, with torchvision's. Empty for other kinds.
        beside: keys that belong to none of them.
    """

    kind: WeightKind
    parts: dict[str, Checkpoint]
    beside: tuple[str, ...]


# How torchvision names what detectron2 names otherwise; the first that fits counts.
TORCHVISION_NAMES = (
    (r"conv1\.(.+)", r"stem.conv1.\1"),
    (r"bn1\.(.+)", r"stem.conv1.norm.\1"),
    (r"layer(\d)\.(\d+)\.conv(\d)\.(.+)", r"res{stage}.\2.conv\3.\4"),
    (r"layer(\d)\.(\d+)\.bn(\d)\.(.+)", r"res{stage}.\2.conv\3.norm.\4"),
    (r"layer(\d)\.(\d+)\.downsample\.0\.(.+)", r"res{stage}.\2.shortcut.\3"),
    (r"layer(\d)\.(\d+)\.downsample\.1\.(.+)", r"res{stage}.\2.shortcut.norm.\3"),
)


def recognised(checkpoint: Checkpoint) -> WeightFile:
    """What a file is, whoever made it."""
    keys = checkpoint.tensors.keys()
    prefixes = sorted(
        key.removesuffix(PANOPTIC_SIGN) for key in keys if key.endswith(PANOPTIC_SIGN)
    )
    if prefixes:
        return _panoptic(checkpoint, prefixes)
    if "stem.conv1.weight" in keys:
        return _backbone(checkpoint, WeightKind.BACKBONE, {key: key for key in keys})
    if ONE_STAGE_SIGN in keys:
        return WeightFile(WeightKind.ONE_STAGE, {ONE_STAGE: checkpoint}, ())
    if "features.16.0.weight" in keys and "features.4.block.2.fc1.weight" in keys:
        return _classifier(checkpoint, WeightKind.MOBILENET, MOBILENET, r"classifier\..+")
    if {"conv1.weight", "layer1.0.conv1.weight"} <= keys:
        if "layer1.0.conv3.weight" not in keys and "layer1.2.conv1.weight" not in keys:
            return _classifier(checkpoint, WeightKind.RESNET18, RESNET18, r"fc\..+")
        return _backbone(checkpoint, WeightKind.TORCHVISION, _from_torchvision(keys))
    return WeightFile(_other(keys), {}, tuple(sorted(keys)))


def _panoptic(checkpoint: Checkpoint, prefixes: Collection[str]) -> WeightFile:
    """Networks by what their keys begin with."""
    parts: dict[str, Checkpoint] = {}
    taken: set[str] = set()
    for prefix in prefixes:
        others = [other for other in prefixes if other.startswith(prefix) and other != prefix]
        own = [
            key
            for key in checkpoint.tensors
            if key.startswith(prefix) and not any(key.startswith(other) for other in others)
        ]
        tensors = {key.removeprefix(prefix): checkpoint.tensors[key] for key in own}
        name = TEACHER if TEACHER in prefix else STUDENT
        if name in parts:
            name = prefix.strip(".")
        parts[name] = Checkpoint(checkpoint.path, checkpoint.sha256, _with_counters(tensors))
        taken.update(own)
    kind = WeightKind.CUPS if set(prefixes) <= LIGHTNING_PREFIXES else WeightKind.PANOPTIC
    if checkpoint.about.get(MADE_BY[0]) == MADE_BY[1]:
        kind = WeightKind.OWN
    return WeightFile(kind, parts, tuple(sorted(checkpoint.tensors.keys() - taken)))


def _backbone(checkpoint: Checkpoint, kind: WeightKind, names: dict[str, str]) -> WeightFile:
    """A ResNet; its classifier is left aside."""
    of_network = {key: name for key, name in names.items() if not re.search(r"\bfc\b", name)}
    tensors = {name: checkpoint.tensors[key] for key, name in of_network.items()}
    part = Checkpoint(checkpoint.path, checkpoint.sha256, _with_counters(tensors))
    beside = checkpoint.tensors.keys() - of_network.keys()
    return WeightFile(kind, {"backbone": part}, tuple(sorted(beside)))


def _classifier(checkpoint: Checkpoint, kind: WeightKind, name: str, last: str) -> WeightFile:
    """A network of torchvision without its last layers."""
    beside = tuple(sorted(key for key in checkpoint.tensors if re.fullmatch(last, key)))
    part = checkpoint.under("", but=beside)
    counted = Checkpoint(part.path, part.sha256, _with_counters(part.tensors))
    return WeightFile(kind, {name: counted}, beside)


def _from_torchvision(keys: Collection[str]) -> dict[str, str]:
    """Each key with its name in detectron2; unknown ones keep theirs."""
    return {key: _renamed(key) for key in keys}


def _renamed(key: str) -> str:
    for pattern, name in TORCHVISION_NAMES:
        found = re.fullmatch(pattern, key)
        if found:
            stage = int(found[1]) + 1 if key.startswith("layer") else 0
            return found.expand(name.replace("{stage}", str(stage)))
    return key


def _with_counters(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors and the counters of batches that detectron2 leaves out where norms are frozen."""
    counters = (key.removesuffix(MEAN) + COUNTER for key in tensors if key.endswith(MEAN))
    return {**{key: torch.tensor(0) for key in counters}, **tensors}


def _other(keys: Collection[str]) -> WeightKind:
    """Networks of this software that are not panoptic."""
    if any(key.startswith("raft.feature_encoder.") for key in keys):
        return WeightKind.RAFT
    if "net.cluster1.0.weight" in keys:
        return WeightKind.DEPTHG
    if any(key.endswith("patch_embed.proj.weight") for key in keys):
        return WeightKind.TRANSFORMER
    return WeightKind.UNKNOWN
