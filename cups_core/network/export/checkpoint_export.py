"""A checkpoint as a model on disk, whichever network it holds; `cups export-model` calls it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cups_core.errors import CheckpointError, InputError
from cups_core.network.cascade.feature_pyramid import SIZE_MULTIPLE
from cups_core.network.export.agreement import Agreement
from cups_core.network.export.cascade_export import cascade_plan
from cups_core.network.export.comparison import Image
from cups_core.network.export.model_writing import write_model
from cups_core.network.export.settings import ExportSettings
from cups_core.network.export.student_export import student_plan
from cups_core.network.torch_backend import sidecar_of_weights
from cups_core.network.weight_kinds import STUDENT
from cups_core.runtime.class_names import read_class_names
from cups_core.runtime.sidecar import ONE_STAGE

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
    """Write the model of a checkpoint; arguments as of `load_panoptic` and `write_model`.

    Raises:
        CheckpointError: the weights cannot be used.
        InputError: the size does not fit the network, or int8 without images.
        ModelError: the class names do not fit, or the graph is not what all runtimes share.
    """
    _check_size(settings)
    described = sidecar_of_weights(checkpoint)
    is_one_stage = described.kind == ONE_STAGE
    plan = student_plan(checkpoint) if is_one_stage else cascade_plan(checkpoint, settings, network)
    if (len(described.things), len(described.stuffs)) != (plan.things, plan.stuffs):
        raise CheckpointError(
            f"{checkpoint}: its networks have different classes, {len(described.things)} and "
            f"{plan.things} things: it is no file of one training"
        )
    classes = described.classes
    if class_names is not None:
        classes = read_class_names(class_names, classes)
    description = dataclasses.replace(
        described,
        input=dataclasses.replace(described.input, width=settings.width, height=settings.height),
        classes=classes,
        thresholds=plan.thresholds,
        training={
            **described.training,
            "checkpoint_sha256": described.sha256,
            "network": network,
            "export": dataclasses.asdict(settings),
        },
        tool_version=_version(),
    )
    return write_model(plan, description, settings, path, images)


def _check_size(settings: ExportSettings) -> None:
    sides = settings.height, settings.width
    if any(side % SIZE_MULTIPLE for side in sides):
        raise InputError(
            f"size {sides[0]}x{sides[1]}: expected multiples of {SIZE_MULTIPLE}, such as "
            + "x".join(str(round(side / SIZE_MULTIPLE) * SIZE_MULTIPLE) for side in sides)
        )


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""
