"""What a file of weights is, and how it fits the networks here.

`cups checkpoint inspect` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cups_core.errors import CheckpointError
from cups_core.network.checkpoint_files import Checkpoint, read_checkpoint
from cups_core.network.panoptic_checkpoints import backbone_shapes, classes_of, panoptic_shapes
from cups_core.network.student.panoptic_student import BACKBONES
from cups_core.network.student.student_checkpoints import (
    plan_of,
    student_backbone_shapes,
    student_shapes,
)
from cups_core.network.weight_differences import Differences, differences
from cups_core.network.weight_kinds import ONE_STAGE, WeightKind, recognised

DESCRIPTIONS = {
    WeightKind.OWN: "Panoptic Cascade Mask R-CNN, written by this software",
    WeightKind.ONE_STAGE: "a one-stage panoptic network, written by this software",
    WeightKind.CUPS: "Panoptic Cascade Mask R-CNN of CUPS, as PyTorch Lightning stores it",
    WeightKind.PANOPTIC: "Panoptic Cascade Mask R-CNN in detectron2's names",
    WeightKind.BACKBONE: "a ResNet in detectron2's names, such as DINO's from CutLER",
    WeightKind.TORCHVISION: "a ResNet in torchvision's names",
    WeightKind.RESNET18: "ResNet-18 in torchvision's names, a backbone of the one-stage network",
    WeightKind.MOBILENET: "MobileNetV3-Large in torchvision's names, a backbone of the one-stage "
    "network",
    WeightKind.RAFT: "RAFT with SMURF weights, for `cups label`",
    WeightKind.DEPTHG: "DepthG: a DINO transformer with a segmentation head, for `cups label`",
    WeightKind.TRANSFORMER: "a vision transformer, for `cups fit-semantics`",
    WeightKind.UNKNOWN: "no network of this software",
}


@dataclass(frozen=True)
class PartReport:
    """One network of a file.

    Attributes:
        tensors: how many it has.
        things, stuffs: classes; None for a backbone, or where the file contradicts itself.
        differences: from our network of these classes; None where the classes are not known.
        problem: why the classes are not known; empty where they are.
    """

    tensors: int
    things: int | None
    stuffs: int | None
    differences: Differences | None
    problem: str

    @property
    def fits(self) -> bool:
        """Whether it loads."""
        return not self.problem and not self.differences


@dataclass(frozen=True)
class CheckpointReport:
    """A file of weights.

    Attributes:
        path: where it lies.
        size_bytes: its size.
        sha256: its hash.
        kind: the name of its kind in the ledger `docs/weights.md`.
        description: the same in words.
        parts: networks by what they are, as `WeightFile` calls them; empty for other kinds.
        beside: keys that belong to none of them.
        about: words that the file carries.
    """

    path: Path
    size_bytes: int
    sha256: str
    kind: str
    description: str
    parts: Mapping[str, PartReport]
    beside: tuple[str, ...]
    about: Mapping[str, str]


def report_on(path: Path) -> CheckpointReport:
    """What a file of weights is.

    Raises:
        CheckpointError: it is missing, damaged, holds no weights, or would run code.
    """
    checkpoint = read_checkpoint(path)
    file = recognised(checkpoint)
    return CheckpointReport(
        path,
        path.stat().st_size,
        checkpoint.sha256,
        file.kind.value,
        DESCRIPTIONS[file.kind],
        {name: _of_part(name, part) for name, part in file.parts.items()},
        file.beside,
        checkpoint.about,
    )


def _of_part(name: str, part: Checkpoint) -> PartReport:
    count = len(part.tensors)
    if name == "backbone":
        return PartReport(count, None, None, differences(part.tensors, backbone_shapes()), "")
    if name in BACKBONES:
        shapes = student_backbone_shapes(name)
        return PartReport(count, None, None, differences(part.tensors, shapes), "")
    try:
        if name == ONE_STAGE:
            backbone, things, stuffs = plan_of(part)
            shapes = student_shapes(backbone, things, stuffs)
        else:
            things, stuffs = classes_of(part)
            shapes = panoptic_shapes(things, stuffs)
    except CheckpointError as error:
        return PartReport(count, None, None, None, str(error))
    return PartReport(count, things, stuffs, differences(part.tensors, shapes), "")
