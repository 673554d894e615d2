"""Runs a model with TensorRT itself: the engine of this very GPU, one stream, pinned memory.

`backend_choice` opens it before all others. An engine is built beforehand, by `cups engine build`;
one that fits no longer, after an update or on another GPU, is built again here, aloud.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.runtime.backend import (
    BackendFailed,
    BackendUnavailable,
    Outputs,
    RuntimeSettings,
)
from cups_core.runtime.graph_check import TensorType, check_graph
from cups_core.runtime.sidecar import ModelSidecar
from cups_core.runtime.tensorrt_api import TensorRT, TensorRTError
from cups_core.runtime.tensorrt_build import BuildFailed, BuildLimits, build_engine
from cups_core.runtime.tensorrt_cache import EngineCache, engine_key
from cups_core.runtime.tensorrt_cuda import MIB, CudaError, DeviceMemory, Gpu, Stream, gpu
from cups_core.runtime.tensorrt_engine_file import EngineFileError, EngineKey

LOGGER = logging.getLogger(__name__)
NAME = "tensorrt"


def open_on_gpu(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> LoadedEngine:
    """The engine of a model on this machine's GPU; see `OpenBackend`.

    Raises:
        BackendUnavailable: TensorRT, a GPU or the engine is missing, or memory for it.
        ModelError: the graph contradicts its sidecar.
    """
    library, device = machine()
    key = engine_key(sidecar, device.name, device.compute_capability, library.version)
    try:
        plan = _plan(model, key, settings)
        return LoadedEngine(library, device, plan, sidecar, settings.gpu_memory_mib)
    except (BuildFailed, EngineFileError, TensorRTError, CudaError) as problem:
        raise BackendUnavailable(str(problem)) from problem


def machine() -> tuple[TensorRT, Gpu]:
    """TensorRT and the GPU of this machine.

    Raises:
        BackendUnavailable: one of them is missing.
    """
    library = TensorRT()
    try:
        return library, gpu()
    except CudaError as problem:
        raise BackendUnavailable(f"TensorRT {library.version} needs a GPU: {problem}") from problem


def _plan(model: Path, key: EngineKey, settings: RuntimeSettings) -> bytes:
    """The engine of the cache; built again if there is one that fits no longer."""
    cache = EngineCache(Path(settings.engine_folder) if settings.engine_folder else None)
    try:
        found = cache.find(model, key)
        unfit = cache.others(model, key)
    except EngineFileError as problem:
        found, unfit = None, (str(problem),)
    if found is not None:
        return found
    if unfit:
        LOGGER.warning("%s; building it again", unfit[0])
    elif settings.backend != NAME:
        raise BackendUnavailable(
            f"no engine of {model} in {cache.folder}: run `cups engine build {model}`, which takes "
            "minutes, or ask for the backend tensorrt, which then does so at its first start"
        )
    limits = BuildLimits(memory_mib=settings.gpu_memory_mib)
    return build_engine(model, key, cache, limits, LOGGER.warning)


class LoadedEngine:
    """An engine with its memory; runs one image at a time.

    Args:
        library, device: of this machine.
        plan: the engine's bytes.
        sidecar: of the model.
        memory_limit_mib: GPU memory that it may take; 0 = as much as it wants.

    Raises:
        TensorRTError: TensorRT refuses the engine.
        CudaError: memory runs out.
        ModelError: the engine contradicts the sidecar.
    """

    name = NAME

    def __init__(
        self,
        library: TensorRT,
        device: Gpu,
        plan: bytes,
        sidecar: ModelSidecar,
        memory_limit_mib: int,
    ) -> None:
        self._device = device
        device.enter()
        with ExitStack() as held:
            self._engine = library.load(plan)
            held.callback(self._engine.close)
            tensors = self._engine.tensors
            check_graph(sidecar, tensors.inputs, tensors.outputs)
            every = {**tensors.inputs, **tensors.outputs}
            _check_memory(self._engine.memory_mib, len(plan), every, memory_limit_mib)
            self._host = {name: _pinned(device, found) for name, found in every.items()}
            self._memory = {}
            for name, host in self._host.items():
                self._memory[name] = DeviceMemory(device, host.nbytes)
                held.callback(self._memory[name].close)
                self._engine.set_address(name, self._memory[name].address)
            self._stream = Stream(device)
            held.callback(self._stream.close)
            self._input = sidecar.input.name
            self._outputs = {name: self._host[name] for name in sidecar.outputs}
            # Once as it is: what TensorRT does on the first run cannot be recorded.
            self._enqueue()
            self._stream.wait()
            how = self._record()
            self._held = held.pop_all()
        self.description = (
            f"TensorRT {library.version} on {device.name}, {sidecar.precision}, {how}"
        )

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """See `Backend.run`; the outputs are overwritten by the next run."""
        try:
            self._device.enter()
            np.copyto(self._host[self._input], image, casting="no")
            self._start()
            self._stream.wait()
        except (TensorRTError, CudaError) as problem:
            raise BackendFailed(f"{self.description}: {problem}") from problem
        return self._outputs

    def close(self) -> None:
        """See `Backend.close`; arrays of outputs stay readable."""
        try:
            self._device.enter()
            self._held.close()
        except CudaError as problem:
            # A GPU that failed takes nothing back; the next backend must start all the same.
            LOGGER.warning("memory of the GPU is given back when the process ends: %s", problem)

    def _record(self) -> str:
        """Record a run, so that the next ones start with one call; says whether it could."""
        try:
            self._stream.record(self._enqueue)
        except (TensorRTError, CudaError) as problem:
            LOGGER.warning("no CUDA graph, each run is enqueued: %s", problem)
            self._start = self._enqueue
            return "no CUDA graph"
        self._start = self._stream.replay
        return "CUDA graph"

    def _enqueue(self) -> None:
        self._stream.copy_in(self._memory[self._input], self._host[self._input])
        self._engine.enqueue(self._stream.handle)
        for name, host in self._outputs.items():
            self._stream.copy_out(host, self._memory[name])


def _pinned(device: Gpu, found: TensorType) -> NDArray[Any]:
    memory = device.pinned(tuple(int(size) for size in found.shape), np.dtype(found.dtype))
    memory[...] = 0  # the first run must not see whatever was there
    return memory


def _check_memory(
    scratch_mib: int, plan_bytes: int, tensors: dict[str, TensorType], limit_mib: int
) -> None:
    """Complain if the engine takes more of the GPU than it may."""
    held = sum(
        np.dtype(found.dtype).itemsize * int(np.prod([int(size) for size in found.shape]))
        for found in tensors.values()
    )
    needed = scratch_mib + (plan_bytes + held) // MIB
    if limit_mib and needed > limit_mib:
        raise TensorRTError(
            f"the engine takes about {needed} MiB of the GPU (weights {plan_bytes // MIB}, scratch "
            f"{scratch_mib}, images {held // MIB}), allowed are {limit_mib}: raise gpu_memory_mib, "
            "or take an fp16 or smaller export"
        )
