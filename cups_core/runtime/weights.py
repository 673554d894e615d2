"""Files of weights in place of an exported model: PyTorch runs them, where it is installed.

`backend_choice` and the predictor ask here. The code that needs PyTorch is imported by name, when
a file of weights really comes: the runtime itself never imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cups_core.errors import ModelError
from cups_core.runtime.backend import Backend, RuntimeSettings, optional_package
from cups_core.runtime.model_file import check_file
from cups_core.runtime.sidecar import ModelSidecar, read_sidecar, sidecar_path

SUFFIXES = (".ckpt", ".safetensors", ".pth", ".pt", ".pkl")
GRAPH = ".onnx"


def is_weights(model: Path) -> bool:
    """Whether a file holds weights for PyTorch, by its name; else it holds a graph.

    Raises:
        ModelError: neither, as far as its name says.
    """
    if model.suffix not in (GRAPH, *SUFFIXES):
        raise ModelError(
            f"{model}: expected a name that ends with {GRAPH}, or with "
            f"{', '.join(SUFFIXES)} for PyTorch"
        )
    return model.suffix != GRAPH


def describe(model: Path) -> ModelSidecar:
    """The sidecar of a model; weights without one are described by what they hold.

    Raises:
        ModelError: the sidecar is missing beside a graph, wrong, or of another file.
        BackendUnavailable: only PyTorch could say, and it is missing.
    """
    beside = sidecar_path(model)
    if not is_weights(model) or beside.is_file():
        sidecar = read_sidecar(beside)
        check_file(model, sidecar)
        return sidecar
    described: ModelSidecar = _torch_backend().sidecar_of_weights(model)
    return described


def open_torch(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> Backend:
    """The network itself; see `OpenBackend`."""
    backend: Backend = _torch_backend().open_torch(model, sidecar, settings)
    return backend


def _torch_backend() -> Any:
    return optional_package("cups_core.network.torch_backend", "pip install 'cups-ros[networks]'")
