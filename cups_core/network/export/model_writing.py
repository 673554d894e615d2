"""A network as the files that a vehicle needs: the graph in one precision, and its sidecar.

`cups export-model` and `benchmark.inference` call it, for every kind of network.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from cups_core.errors import InputError, ModelError
from cups_core.network.export.agreement import Agreement
from cups_core.network.export.comparison import Image, compare, outputs_of, tensor_of
from cups_core.network.export.conformance import violations
from cups_core.network.export.onnx_graph import onnx_graph, write_graph
from cups_core.network.export.quantisation import quantised
from cups_core.network.export.settings import TENSORRT, ExportSettings
from cups_core.runtime.backend import Outputs, RuntimeSettings
from cups_core.runtime.model_file import sha256_of
from cups_core.runtime.onnxruntime_backend import open_on_processor
from cups_core.runtime.sidecar import ModelSidecar, sidecar_path, write_sidecar

SHOWN = 10
MakeNetwork = Callable[[bool], nn.Module]
"""A static network in evaluation mode, in 32 bits or (True) with its layers in 16 bits."""


@dataclass(frozen=True)
class GraphPlan:
    """What the graphs of a network are made of.

    Attributes:
        make: the network; asked in 32 bits first.
        things, stuffs: number of its classes.
        thresholds: of what makes a map of its outputs, as the sidecar says them.
        last_layers: parts of names of weights whose layers stay in float32 when others become int8.
    """

    make: MakeNetwork
    things: int
    stuffs: int
    thresholds: dict[str, Any]
    last_layers: tuple[str, ...]


def write_model(
    plan: GraphPlan,
    description: ModelSidecar,
    settings: ExportSettings,
    path: Path,
    images: Sequence[Image] = (),
) -> Agreement | None:
    """Write `path` and the sidecar beside it.

    Args:
        plan: the network.
        description: what the sidecar says besides precision and hash.
        settings: precision; its size is that of the description's input.
        path: ends with .onnx.
        images: RGB (H, W, 3) of any sizes. Of every two one calibrates int8, the other one is
            looked at by both models to see whether they agree.

    Returns:
        How a model of reduced precision agrees with float32; None where nothing is compared.

    Raises:
        InputError: int8 without images.
        ModelError: the graph has parts that not all runtimes share, or cannot be written.
    """
    if settings.precision == "int8" and not images:
        raise InputError("int8: expected images to calibrate with, found none: give --calibrate")
    if path.suffix != ".onnx":
        raise ModelError(f"{path}: expected a name that ends with .onnx")
    size, outputs = (description.input.height, description.input.width), description.outputs
    if settings.precision == "fp32" or not images:
        graph = onnx_graph(plan.make(settings.precision == "fp16"), size, outputs)
        _write(graph, description, settings, path)
        return None
    exact = onnx_graph(plan.make(False), size, outputs)
    if settings.precision == "fp16":
        graph = onnx_graph(plan.make(True), size, outputs)
    else:
        graph = quantised(
            exact,
            (tensor_of(image, description.input) for image in images[::2]),
            settings.int8_for,
            plan.last_layers,
        )
    written = _write(graph, description, settings, path)
    # A single image has to do for both.
    compared = images[1::2] or images
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "exact.onnx"
        in_full = _write(exact, description, ExportSettings(), beside)
        del exact, graph
        expected = _outputs(beside, in_full, compared)
    return compare(expected, _outputs(path, written, compared), written, compared)


def _write(
    graph: onnx.ModelProto, description: ModelSidecar, settings: ExportSettings, path: Path
) -> ModelSidecar:
    """Write a graph that is fit for all runtimes, and what it is."""
    is_for_tensorrt = settings.precision != "int8" or settings.int8_for == TENSORRT
    found = violations(graph, TENSORRT if is_for_tensorrt else settings.int8_for)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ModelError(
            f"{path}: the graph has parts that not all runtimes share: "
            f"{'; '.join(found[:SHOWN])}{more}. Export it with the PyTorch and onnxscript of "
            "this software's extras"
        )
    # Nobody must ever see half of a model, nor a model beside the sidecar of another one.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_graph(graph, draft)
        written = dataclasses.replace(
            description, precision=settings.precision, sha256=sha256_of(draft)
        )
        sidecar_path(path).unlink(missing_ok=True)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    write_sidecar(sidecar_path(path), written)
    return written


def _outputs(path: Path, sidecar: ModelSidecar, images: Sequence[Image]) -> list[Outputs]:
    backend = open_on_processor(path, sidecar, RuntimeSettings())
    try:
        return outputs_of(backend, sidecar.input, images)
    finally:
        backend.close()
