"""Runs a model with OpenVINO on the processor.

`backend_choice` opens it. The number type is always said: left alone, OpenVINO takes bfloat16 where
the processor has it, and maps change without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.runtime.backend import (
    BackendFailed,
    BackendUnavailable,
    Outputs,
    RuntimeSettings,
    optional_package,
)
from cups_core.runtime.graph_check import TensorType, check_graph
from cups_core.runtime.sidecar import ModelSidecar

DEVICE = "CPU"
HINTS = {"float32": "f32", "bfloat16": "bf16"}


def open_on_processor(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> _Compiled:
    """OpenVINO on the processor; see `OpenBackend`."""
    return _Compiled(model, sidecar, settings)


class _Compiled:
    """A compiled model with one request, which is all that one camera needs."""

    name = "openvino"

    def __init__(self, model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> None:
        openvino = optional_package("openvino", "pip install 'cups-ros[openvino]'")
        hint = HINTS[settings.processor_precision]
        properties: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        if settings.threads:
            properties["INFERENCE_NUM_THREADS"] = settings.threads
        core = openvino.Core()
        try:
            graph = core.read_model(model)
        except RuntimeError as problem:
            raise BackendUnavailable(f"cannot read {model}: {_first_line(problem)}") from problem
        check_graph(sidecar, _types(graph.inputs), _types(graph.outputs))
        try:
            self._compiled = core.compile_model(graph, DEVICE, properties)
            self._request = self._compiled.create_infer_request()
        except RuntimeError as problem:
            raise BackendUnavailable(f"cannot run {model}: {_first_line(problem)}") from problem
        self._names = {
            index: next(iter(output.get_names() & set(sidecar.outputs)))
            for index, output in enumerate(self._compiled.outputs)
        }
        found = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        threads = self._compiled.get_property("INFERENCE_NUM_THREADS")
        self.description = (
            f"OpenVINO {openvino.__version__.partition('-')[0]} on "
            f"{core.get_property(DEVICE, 'FULL_DEVICE_NAME')}, {sidecar.precision} computed in "
            f"{found}, {threads} threads"
        )

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """See `Backend.run`."""
        try:
            # Shared, not copied: the predictor reads the outputs before it runs the next image.
            found = self._request.infer([image], share_inputs=True, share_outputs=True)
        except RuntimeError as problem:
            raise BackendFailed(f"{self.description}: {_first_line(problem)}") from problem
        return {name: found[index] for index, name in self._names.items()}

    def close(self) -> None:
        """See `Backend.close`."""
        del self._request, self._compiled


def _types(tensors: Sequence[Any]) -> Mapping[str, TensorType]:
    """Shapes and types by name; an output that has several names is listed under each."""
    return {
        name: TensorType(
            tuple(
                size.get_length() if size.is_static else -1 for size in tensor.get_partial_shape()
            ),
            str(np.dtype(tensor.get_element_type().to_dtype())),
        )
        for tensor in tensors
        for name in tensor.get_names()
    }


def _first_line(problem: RuntimeError) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[-1] if lines else type(problem).__name__
