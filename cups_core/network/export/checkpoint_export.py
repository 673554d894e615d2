"""The network of a checkpoint as a model on disk; `cups export-model` calls it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from torch import nn

from cups_core.centre_grouping import GroupingSettings
from cups_core.errors import InputError
from cups_core.network.cascade.anchors import ASPECT_RATIOS
from cups_core.network.cascade.feature_pyramid import SIZE_MULTIPLE, STRIDES
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.export.agreement import Agreement
from cups_core.network.export.batch_norm_folding import fold
from cups_core.network.export.comparison import Image
from cups_core.network.export.model_writing import MakeNetwork, write_model
from cups_core.network.export.settings import ExportSettings
from cups_core.network.export.static_cascade import StaticCascade
from cups_core.network.panoptic_checkpoints import load_panoptic
from cups_core.network.student.panoptic_student import PanopticStudent
from cups_core.network.student.student_checkpoints import load_student
from cups_core.network.student.student_graph import StudentGraph
from cups_core.network.torch_backend import sidecar_of_weights
from cups_core.network.weight_kinds import STUDENT
from cups_core.panoptic_combination import CombinationSettings
from cups_core.runtime.class_names import read_class_names
from cups_core.runtime.sidecar import CASCADE

DISTRIBUTION = "cups-ros"


def export_checkpoint(
    checkpoint: Path,
    path: Path,
    settings: ExportSettings,
    *,
    images: Sequence[Image] = (),
    class_names: Path | None = None,
    network: str = STUDENT,
) -> Agreement | None:
    """Write the model of a checkpoint; other arguments as of `load_panoptic` and `write_model`.

    Raises:
        CheckpointError: the weights cannot be used.
        InputError: the size does not fit the network, or int8 without images.
        ModelError: the class names do not fit, or the graph is not what all runtimes share.
    """
    _check_size(settings)
    described = sidecar_of_weights(checkpoint)
    counts = len(described.things), len(described.stuffs)
    if described.kind == CASCADE:
        make = cascade_maker(load_panoptic(checkpoint, network, counts), settings)
    else:
        make = one_stage_maker(load_student(checkpoint, counts))
    classes = described.classes
    if class_names is not None:
        classes = read_class_names(class_names, classes)
    description = dataclasses.replace(
        described,
        input=dataclasses.replace(described.input, width=settings.width, height=settings.height),
        classes=classes,
        thresholds=dataclasses.asdict(
            CombinationSettings() if described.kind == CASCADE else GroupingSettings()
        ),
        training={
            **described.training,
            "checkpoint_sha256": described.sha256,
            "network": network,
            "export": dataclasses.asdict(settings),
        },
        tool_version=_version(),
    )
    return write_model(make, description, settings, path, images)


def cascade_maker(network: PanopticCascade, settings: ExportSettings) -> MakeNetwork:
    """What makes the static network in either precision; the given one is not changed."""
    folded = copy.deepcopy(network).eval()
    fold(folded)

    def make(is_half: bool) -> nn.Module:
        size = (settings.height, settings.width)
        return StaticCascade(folded, size, settings.proposals, is_half).eval()

    return make


def one_stage_maker(network: PanopticStudent) -> MakeNetwork:
    """The same of a one-stage network, for any size."""

    def make(is_half: bool) -> nn.Module:
        copied = copy.deepcopy(network)
        return StudentGraph(copied.half() if is_half else copied)

    return make


def _check_size(settings: ExportSettings) -> None:
    sides = settings.height, settings.width
    if any(side % SIZE_MULTIPLE for side in sides):
        raise InputError(
            f"size {sides[0]}x{sides[1]}: expected multiples of {SIZE_MULTIPLE}, such as "
            + "x".join(str(round(side / SIZE_MULTIPLE) * SIZE_MULTIPLE) for side in sides)
        )
    anchors = len(ASPECT_RATIOS) * (sides[0] // STRIDES[0]) * (sides[1] // STRIDES[0])
    if anchors < settings.proposals:
        raise InputError(
            f"size {sides[0]}x{sides[1]}: {anchors} anchors in the finest level, fewer than the "
            f"{settings.proposals} proposals that were asked for"
        )


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""
