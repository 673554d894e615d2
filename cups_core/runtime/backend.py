"""What runs a network's graph: the protocol of all backends, their settings and their errors.

Each backend implements it in a file of its own, `backend_choice` takes the first that works.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CupsError
from cups_core.runtime.sidecar import ModelSidecar
from cups_core.settings import setting

Outputs = Mapping[str, NDArray[Any]]


class BackendUnavailable(CupsError):
    """A backend cannot run this model on this machine; the message says why."""


class BackendFailed(CupsError):
    """A backend that could run a model cannot any more, or gives numbers that are none."""


@dataclass(frozen=True)
class RuntimeSettings:
    """Where and how a model runs."""

    backend: str = setting(
        "auto",
        "what runs the model; auto = the first that works of tensorrt, onnxruntime (TensorRT, "
        "CUDA, processor), openvino, torch",
        choices=("auto", "tensorrt", "onnxruntime", "openvino", "torch"),
    )
    threads: int = setting(
        0, "threads of a processor that the model may take; 0 = one for each core", minimum=0
    )
    processor_precision: str = setting(
        "float32",
        "number type of layers on a processor with openvino or torch; bfloat16 is up to twice as "
        "fast where the processor has it, and moves some borders between segments",
        choices=("float32", "bfloat16"),
    )
    gpu_memory_mib: int = setting(
        0, "GPU memory that the model may take, MiB; 0 = as much as it wants", minimum=0
    )
    engine_folder: str = setting(
        "",
        "folder of the engines that `cups engine build` makes for TensorRT; empty = cups/engines "
        "in the user's cache",
    )


class Backend(Protocol):
    """A model that is ready to run."""

    @property
    def name(self) -> str:
        """Of the backend, as the setting calls it."""

    @property
    def description(self) -> str:
        """What it really runs on: version, device, precision, threads."""

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """The graph's outputs by name; the next run may overwrite the arrays.

        Args:
            image: float32 (1, 3, H, W), normalised and letterboxed.

        Raises:
            BackendFailed: memory is exhausted, or the device is gone.
        """

    def close(self) -> None:
        """Give memory and threads back; it cannot run afterwards."""


class OpenBackend(Protocol):
    """Makes a backend of a model."""

    def __call__(self, model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> Backend:
        """The backend.

        Raises:
            BackendUnavailable: it cannot run the model here; another one may.
            ModelError: the graph contradicts its sidecar; no backend should run it.
        """


def optional_package(module: str, installation: str) -> Any:
    """A package that only some machines have.

    Args:
        module: its name in Python.
        installation: the command that brings it.

    Raises:
        BackendUnavailable: it is missing or broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        raise BackendUnavailable(f"{problem}: {installation}") from problem
