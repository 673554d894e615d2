"""Whether a graph is what its sidecar says, and whether its numbers are numbers.

Each backend asks for the first when it has read a graph, the choice of backends for the second
after each run: a graph with other classes or with NaN must never become a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cups_core.errors import ModelError
from cups_core.runtime.backend import BackendFailed, Outputs
from cups_core.runtime.sidecar import CASCADE, ModelSidecar

STRIDE = 4
"""Pixels of the input for one value of the semantic logits and of the offsets."""
ROWS, CELLS = "rows", "cells"
Shape = tuple[int | str, ...]
UNUSED_SCORE = 0


@dataclass(frozen=True)
class TensorType:
    """What a graph says of an input or output.

    Attributes:
        shape: a dimension that is not fixed is a word or negative.
        dtype: NumPy's name of the number type.
    """

    shape: Shape
    dtype: str


def check_graph(
    sidecar: ModelSidecar,
    inputs: Mapping[str, TensorType],
    outputs: Mapping[str, TensorType],
) -> None:
    """Complain unless names, shapes and number types are those of the sidecar.

    Raises:
        ModelError: they differ; the message names the field.
    """
    place = sidecar.input
    _check_names("input.name", (place.name,), inputs)
    _check_type(
        "input.width and input.height",
        place.name,
        (1, 3, place.height, place.width),
        inputs[place.name],
        {},
    )
    _check_names("outputs", sidecar.outputs, outputs)
    free: dict[str, int] = {}
    for name, shape in _expected(sidecar).items():
        field = "classes" if name == "semantic" else "kind"
        if name == "semantic" and outputs[name].shape[2:] != shape[2:]:
            field = "input.width and input.height"
        _check_type(field, name, shape, outputs[name], free)


def check_numbers(sidecar: ModelSidecar, outputs: Outputs) -> None:
    """Complain of outputs that cannot be the network's answer.

    Raises:
        BackendFailed: NaN or infinity in what counts.
        ModelError: a label that the sidecar has no class for.
    """
    score = outputs["scores"] if sidecar.kind == CASCADE else outputs["centres"][:, 2]
    # Rows without a score hold whatever the graph left there.
    used = score != UNUSED_SCORE
    rows = ("boxes", "scores", "masks") if sidecar.kind == CASCADE else ("centres",)
    for name in sidecar.outputs:
        values = outputs[name][used] if name in rows else outputs[name]
        if not np.isfinite(values).all():
            raise BackendFailed(
                f"output {name} holds NaN or infinity: "
                + (
                    "the weights are broken, take another export"
                    if sidecar.precision == "fp32"
                    else f"numbers overflow in {sidecar.precision}, take the fp32 export"
                )
            )
    if sidecar.kind == CASCADE and used.any():
        labels, things = outputs["labels"][used], len(sidecar.things)
        if labels.min() < 0 or labels.max() >= things:
            raise ModelError(
                f"classes: the sidecar lists {things} things, the model found labels "
                f"{labels.min()} to {labels.max()}: take the sidecar of this export"
            )


def _expected(sidecar: ModelSidecar) -> dict[str, Shape]:
    height, width = sidecar.input.height // STRIDE, sidecar.input.width // STRIDE
    if sidecar.kind == CASCADE:
        return {
            "boxes": (ROWS, 4),
            "scores": (ROWS,),
            "labels": (ROWS,),
            "masks": (ROWS, CELLS, CELLS),
            "semantic": (1, len(sidecar.stuffs) + 1, height, width),
        }
    return {
        "semantic": (1, len(sidecar.classes), height, width),
        "centres": (ROWS, 3),
        "offsets": (1, 2, height, width),
    }


def _check_names(field: str, expected: tuple[str, ...], found: Mapping[str, TensorType]) -> None:
    if set(expected) != set(found):
        raise ModelError(
            f"{field}: the sidecar says {', '.join(expected)}, the graph has "
            f"{', '.join(found) or 'none'}"
        )


def _check_type(
    field: str, name: str, expected: Shape, found: TensorType, free: dict[str, int]
) -> None:
    """Compare a shape in which a word stands for any number, the same one everywhere."""
    fixed = (
        tuple(
            free.setdefault(wanted, size)
            if isinstance(wanted, str) and isinstance(size, int)
            else wanted
            for wanted, size in zip(expected, found.shape, strict=False)
        )
        + expected[len(found.shape) :]
    )
    if fixed != found.shape or any(isinstance(size, str) or size < 0 for size in found.shape):
        raise ModelError(
            f"{field}: the sidecar asks for {name} {_words(fixed)}, the graph has "
            f"{_words(found.shape)}"
        )
    wanted_types = ("int32", "int64") if name == "labels" else ("float32",)
    if found.dtype not in wanted_types:
        raise ModelError(
            f"{name}: expected {' or '.join(wanted_types)}, the graph has {found.dtype}"
        )


def _words(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"
