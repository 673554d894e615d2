"""Reads and writes safetensors, the form of our own weights: numbers and nothing else.

`checkpoint_files` reads with it, `panoptic_checkpoints` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from torch import Tensor

from cups_core.errors import CheckpointError

LENGTH_BYTES = 8


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as this form does: a length, and then a JSON text."""
    with path.open("rb") as file:
        start = file.read(LENGTH_BYTES + 2)
    return start[LENGTH_BYTES:] in (b'{"', b"{}")


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and the words that it says about them.

    Raises:
        CheckpointError: it is damaged, or the package is not installed.
    """
    library = _library(path)
    try:
        with library.safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except library.SafetensorError as error:
        raise CheckpointError(f"{path}: damaged ({error}); get the file again") from error


def write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write tensors and some words about them.

    Raises:
        CheckpointError: the package is not installed.
    """
    contiguous = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    _library(path).torch.save_file(contiguous, path, dict(about))


def _library(path: Path) -> ModuleType:
    try:
        import safetensors.torch
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"{path}: needs the package safetensors, which is not installed: "
            "pip install 'cups-ros[networks]'"
        ) from error
    return safetensors
