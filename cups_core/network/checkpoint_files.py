"""Reads other people's network weights without running what a file may contain.

Every network here takes its weights through `read_checkpoint` and `load_weights`.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from cups_core.errors import CheckpointError
from cups_core.network import safetensors_files
from cups_core.network.inert_arrays import StoredArray
from cups_core.network.inert_objects import StoredTensor
from cups_core.network.inert_pickle import (
    read_archive,
    read_arrays,
    read_pickle,
    read_tensors,
)
from cups_core.network.weight_differences import differences, first_of

# Where trainers put the state dict: Lightning, detectron2, self-distillation.
NESTED = ("state_dict", "model", "teacher")
Kind = TypeVar("Kind")
BLOCK_BYTES = 1 << 20
PICKLE = b"\x80"
# PyTorch's old form begins with the pickle of this number.
OLD_FORM = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
# What a download that failed leaves behind, by how it begins.
NOT_WEIGHTS = {
    b"<": "a web page",
    b"version https://git-lfs": "a Git LFS pointer",
    b"{": "a JSON text",
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors of a file, by key.

    Attributes:
        path: the file, for messages.
        sha256: hash of the whole file, for provenance.
        tensors: its state dict.
        about: words that a safetensors file carries.
    """

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    about: Mapping[str, str] = field(default_factory=dict)

    def under(self, prefix: str, but: Collection[str] = ()) -> Checkpoint:
        """The tensors whose keys begin with `prefix`, without it, and `but` for some of these."""
        inside = {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }
        chosen = {key: tensor for key, tensor in inside.items() if key not in but}
        return Checkpoint(self.path, self.sha256, chosen)


def read_checkpoint(path: Path) -> Checkpoint:
    """The state dict of a file, wherever common trainers put it in there.

    PyTorch archives and the older form, pickled NumPy arrays of detectron2, and safetensors.

    Raises:
        CheckpointError: the file is missing, damaged, something else, or would run code.
    """
    _check_kind(path)
    if zipfile.is_zipfile(path):
        stored = _state_dict(path, read_archive(path), StoredTensor)
        return Checkpoint(path, _sha256(path), read_tensors(path, stored))
    if safetensors_files.is_safetensors(path):
        numbers, about = safetensors_files.read(path)
        return Checkpoint(path, _sha256(path), numbers, about)
    if _is_bare_pickle(path):
        arrays = _state_dict(path, read_pickle(path), StoredArray)
        return Checkpoint(path, _sha256(path), read_arrays(path, arrays))
    tensors = _state_dict(path, _read_stream(path), Tensor)
    detached = {key: tensor.detach() for key, tensor in tensors.items()}
    return Checkpoint(path, _sha256(path), detached)


def load_weights(
    network: nn.Module, checkpoint: Checkpoint, expected: str, prefix: str = ""
) -> None:
    """Give a network exactly the tensors of a checkpoint.

    Args:
        network: what is filled.
        checkpoint: its keys and shapes must be those of the network's state dict.
        expected: what kind of file belongs here, for the message.
        prefix: what each key of the file begins with before the network's own name of it.

    Raises:
        CheckpointError: a key is missing, left over, of another shape or not finite.
    """
    wanted = {prefix + key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    found = checkpoint.tensors
    different = differences(found, wanted)
    if different:
        raise CheckpointError(
            f"{checkpoint.path}: expected {expected}. Of its tensors, {different}. "
            "Give the path of the file that belongs to this network"
        )
    for key, tensor in found.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{checkpoint.path}: {key} holds values that are not finite: the training went "
                "wrong or the file is damaged; take another one"
            )
    network.load_state_dict({key.removeprefix(prefix): found[key] for key in wanted})


def _check_kind(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(
            f"{path}: expected a file of weights, found "
            f"{'a directory' if path.is_dir() else 'nothing'}; check the path"
        )
    with path.open("rb") as file:
        start = file.read(512).lstrip()
    for beginning, kind in NOT_WEIGHTS.items():
        if start.startswith(beginning):
            raise CheckpointError(
                f"{path}: expected a PyTorch file of tensors, found {kind}: the download did not "
                "bring the file itself; get it again"
            )


def _is_bare_pickle(path: Path) -> bool:
    start = _start(path)
    return start.startswith(PICKLE) and start != OLD_FORM


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(OLD_FORM))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


# PyTorch's reader trusts the bytes: what is no pickle ends in whatever its stack runs into.
NO_STREAM = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
)


NO_FILE = "truncated or no PyTorch file: compare its size with the published one"


def _read_stream(path: Path) -> object:
    """The content of a file in the form that PyTorch wrote before version 1.6."""
    # Bytes that are no such file may ask PyTorch's reader for any amount of memory.
    if _start(path) != OLD_FORM:
        raise CheckpointError(f"{path}: {NO_FILE}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except NO_STREAM as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        found = (
            f"refused, since reading it asks for {asked[1]}: this old form is read only where it "
            "holds nothing but tensors"
            if asked
            else NO_FILE
        )
        raise CheckpointError(f"{path}: {found}") from error


def _state_dict(path: Path, content: object, kind: type[Kind]) -> dict[str, Kind]:
    """The mapping of keys to tensors of a kind in what a file holds."""
    while isinstance(content, Mapping):
        if content and all(isinstance(item, kind) for item in content.values()):
            return {str(key): item for key, item in content.items()}
        nested = [name for name in NESTED if isinstance(content.get(name), Mapping)]
        if not nested:
            break
        content = content[nested[0]]
    held = (
        f"a mapping with {first_of(map(str, content))}"
        if isinstance(content, Mapping)
        else f"one {type(content).__module__}.{type(content).__qualname__}"
    )
    raise CheckpointError(
        f"{path}: expected a state dict of tensors, alone or under {' or '.join(NESTED)}, found "
        f"{held}; save it with torch.save(network.state_dict(), ...)"
    )
