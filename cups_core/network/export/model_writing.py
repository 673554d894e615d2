"""A network as the files that a vehicle needs: the graph in one precision, and its sidecar.

`cups export-model` and `benchmark.inference` call it, for every kind of network.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from cups_core.errors import InputError, ModelError
from cups_core.network.export.agreement import Agreement, ImagePair, agreement
from cups_core.network.export.conformance import violations
from cups_core.network.export.onnx_graph import onnx_graph, write_graph
from cups_core.network.export.quantisation import quantised
from cups_core.network.export.settings import TENSORRT, ExportSettings
from cups_core.panoptic import PanopticMap
from cups_core.panoptic_combination import CombinationSettings
from cups_core.runtime.backend import Outputs, RuntimeSettings
from cups_core.runtime.decoding import decoded_order, decoder
from cups_core.runtime.letterbox import Letterbox, fill
from cups_core.runtime.model_file import sha256_of
from cups_core.runtime.onnxruntime_backend import open_on_processor
from cups_core.runtime.sidecar import CASCADE, ModelSidecar, sidecar_path, write_sidecar
from cups_core.settings import make_settings

SHOWN = 10
Image = NDArray[np.uint8]
MakeNetwork = Callable[[bool], nn.Module]
"""A static network in evaluation mode, in 32 bits or (True) with its layers in 16 bits."""


def write_model(
    make: MakeNetwork,
    description: ModelSidecar,
    settings: ExportSettings,
    path: Path,
    images: Sequence[Image] = (),
) -> Agreement | None:
    """Write `path` and the sidecar beside it.

    Args:
        make: the network; asked in 32 bits first.
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
        graph = onnx_graph(make(settings.precision == "fp16"), size, outputs)
        _write(graph, description, settings, path)
        return None
    exact = onnx_graph(make(False), size, outputs)
    if settings.precision == "fp16":
        graph = onnx_graph(make(True), size, outputs)
    else:
        graph = quantised(
            exact, (_tensor(image, description) for image in images[::2]), settings.int8_for
        )
    written = _write(graph, description, settings, path)
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "exact.onnx"
        in_full = _write(exact, description, ExportSettings(), beside)
        del exact, graph
        # A single image has to do for both.
        return compare((beside, in_full), (path, written), images[1::2] or images)


def compare(
    exact: tuple[Path, ModelSidecar], reduced: tuple[Path, ModelSidecar], images: Sequence[Image]
) -> Agreement:
    """How two models agree that differ in precision, on a processor with ONNX Runtime.

    Raises:
        BackendUnavailable: ONNX Runtime does not run one of them.
    """
    first, second = (_looked_at(path, sidecar, images) for path, sidecar in (exact, reduced))
    sidecar = exact[1]
    order = decoded_order(sidecar.kind, sidecar.classes)
    return agreement(
        [ImagePair(*one, *other) for one, other in zip(first, second, strict=True)],
        [item.is_thing for item in order],
        make_settings(CombinationSettings, sidecar.thresholds).least_score
        if sidecar.kind == CASCADE
        else 0.0,
    )


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


def _looked_at(
    path: Path, sidecar: ModelSidecar, images: Sequence[Image]
) -> list[tuple[Outputs, PanopticMap]]:
    backend = open_on_processor(path, sidecar, RuntimeSettings())
    decode = decoder(sidecar)
    found = []
    for image in images:
        outputs = backend.run(_tensor(image, sidecar))
        found.append((outputs, decode(outputs, _letterbox(image, sidecar))))
    backend.close()
    return found


def _tensor(image: Image, sidecar: ModelSidecar) -> NDArray[np.float32]:
    tensor = np.zeros((1, 3, sidecar.input.height, sidecar.input.width), np.float32)
    fill(image, _letterbox(image, sidecar), sidecar.input, tensor)
    return tensor


def _letterbox(image: Image, sidecar: ModelSidecar) -> Letterbox:
    return Letterbox.of(image.shape[1], image.shape[0], sidecar.input)
