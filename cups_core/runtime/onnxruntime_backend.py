"""Runs a model with ONNX Runtime, on a GPU by TensorRT or CUDA or on the processor.

`backend_choice` opens it, one provider after the other. ONNX Runtime itself would go on to the next
provider without a word; here one that was asked for and not taken is an error.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping
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
from cups_core.runtime.tensorrt_cache import default_folder

LOGGER = logging.getLogger(__name__)
NAME = "onnxruntime"
INSTALLATION = "pip install 'cups-ros[inference]', with an NVIDIA GPU 'cups-ros[inference-gpu]'"
TENSORRT, CUDA, PROCESSOR = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "CPUExecutionProvider",
)
WORDS = {TENSORRT: "TensorRT", CUDA: "CUDA", PROCESSOR: "processor"}
# What ONNX Runtime raises; they have no base class of their own.
ERRORS = (
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoaded",
    "NoModel",
    "NoSuchFile",
    "NotImplemented",
    "RuntimeException",
)
TYPES = {"float": "float32", "float16": "float16", "int32": "int32", "int64": "int64"}
FATAL_ONLY = 4
MIB = 1 << 20


def open_on_tensorrt(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> _Session:
    """ONNX Runtime with TensorRT; what it does not take runs on CUDA."""
    return _Session(model, sidecar, settings, (TENSORRT, CUDA, PROCESSOR))


def open_on_cuda(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> _Session:
    """ONNX Runtime with CUDA; what it does not take runs on the processor."""
    return _Session(model, sidecar, settings, (CUDA, PROCESSOR))


def open_on_processor(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> _Session:
    """ONNX Runtime on the processor."""
    return _Session(model, sidecar, settings, (PROCESSOR,))


class _Session:
    """A session whose first provider is the one that was asked for."""

    name = NAME

    def __init__(
        self,
        model: Path,
        sidecar: ModelSidecar,
        settings: RuntimeSettings,
        providers: tuple[str, ...],
    ) -> None:
        runtime = optional_package("onnxruntime", INSTALLATION)
        state = runtime.capi.onnxruntime_pybind11_state
        self._errors = (RuntimeError, *(getattr(state, name) for name in ERRORS))
        first = providers[0]
        present = runtime.get_available_providers()
        if first not in present:
            raise BackendUnavailable(
                f"this build of ONNX Runtime {runtime.__version__} has no {WORDS[first]}: where "
                "there is an NVIDIA GPU, pip uninstall onnxruntime, then pip install "
                "'cups-ros[inference-gpu]'"
            )
        said = _preloaded(runtime) if first != PROCESSOR else ""
        options = runtime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        # What it would write to the standard error is in the reasons below.
        options.log_severity_level = FATAL_ONLY
        runtime.set_default_logger_severity(FATAL_ONLY)
        asked = [(name, _options(name, sidecar, settings)) for name in providers if name in present]
        try:
            # It must not go on to another provider by itself, neither now nor when a run fails.
            self._session = runtime.InferenceSession(
                str(model), options, providers=asked, enable_fallback=0
            )
        except self._errors as problem:
            words = " ".join(f"{problem} {said}".split())
            raise BackendUnavailable(f"cannot run {model}: {words}") from problem
        taken = self._session.get_providers()
        if taken[0] != first:
            raise BackendUnavailable(
                f"{WORDS[first]} was asked for and does not start, its libraries or a GPU are "
                f"missing: ONNX Runtime took {WORDS.get(taken[0], taken[0])}. {said}".rstrip()
            )
        check_graph(
            sidecar, _types(self._session.get_inputs()), _types(self._session.get_outputs())
        )
        self._input, self._outputs = sidecar.input.name, list(sidecar.outputs)
        threads = f", {settings.threads or 'all'} threads" if first == PROCESSOR else ""
        self.description = (
            f"ONNX Runtime {runtime.__version__} on {' + '.join(WORDS[name] for name in taken)}, "
            f"{sidecar.precision}{threads}"
        )

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """See `Backend.run`."""
        try:
            found = self._session.run(self._outputs, {self._input: image})
        except self._errors as problem:
            raise BackendFailed(f"{self.description}: {problem}") from problem
        return dict(zip(self._outputs, found, strict=True))

    def close(self) -> None:
        """See `Backend.close`."""
        del self._session


def _preloaded(runtime: Any) -> str:
    """Load the CUDA libraries that pip may have brought; returns what could not be loaded."""
    said = io.StringIO()
    if hasattr(runtime, "preload_dlls"):  # since 1.21; it prints what is missing
        with contextlib.redirect_stdout(said):
            runtime.preload_dlls()
    return " ".join(said.getvalue().split())


def _options(provider: str, sidecar: ModelSidecar, settings: RuntimeSettings) -> dict[str, str]:
    limit = str(settings.gpu_memory_mib * MIB)
    if provider == CUDA:
        return {"gpu_mem_limit": limit} if settings.gpu_memory_mib else {}
    if provider == TENSORRT:
        folder = _engine_folder(sidecar, settings)
        options = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder)}
        return options | ({"trt_max_workspace_size": limit} if settings.gpu_memory_mib else {})
    return {}


def _engine_folder(sidecar: ModelSidecar, settings: RuntimeSettings) -> Path:
    """Where the provider keeps the engine of a model; without it each start takes minutes."""
    base = Path(settings.engine_folder) if settings.engine_folder else default_folder()
    folder = base / NAME / sidecar.sha256
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(folder.iterdir())
    except OSError as problem:
        raise BackendUnavailable(
            f"{folder}: engines cannot be kept there ({problem.strerror}): set engine_folder"
        ) from problem
    if is_new:
        LOGGER.warning("ONNX Runtime asks TensorRT for an engine: minutes once; kept in %s", folder)
    return folder


def _types(tensors: Any) -> Mapping[str, TensorType]:
    """Names, shapes and types; ONNX Runtime writes them as tensor(float)."""
    words = {item.name: item.type.removeprefix("tensor(").removesuffix(")") for item in tensors}
    return {
        item.name: TensorType(tuple(item.shape), TYPES.get(words[item.name], words[item.name]))
        for item in tensors
    }
