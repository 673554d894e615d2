"""Reads PyTorch archives and pickled arrays, even those that pickle classes of other packages.

Nothing of the file is executed and nothing is imported for it. PyTorch's own safe loader refuses
such files, among them those of Lightning with configuration objects; `checkpoint_files` uses this.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cups_core.errors import CheckpointError
from cups_core.network.inert_arrays import ARRAY_NAMES, StoredArray
from cups_core.network.inert_objects import (
    ForeignObject,
    NeverCalled,
    PlainDict,
    StoredParameter,
    StoredTensor,
    WouldRunCodeError,
)

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What damaged archives and streams of pickle instructions make their readers raise.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


KNOWN = {
    "collections.OrderedDict": PlainDict,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": StoredParameter,
    **{f"torch.{name}": dtype for name, dtype in DTYPES.items()},
    **ARRAY_NAMES,
}


class _InertUnpickler(pickle.Unpickler):
    """Knows tensors, arrays and ordered dicts; other names become stand-ins of that name."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        known = KNOWN.get(f"{module_name}.{global_name}")
        if known is not None:
            return known
        return NeverCalled(global_name, (ForeignObject,), {"__module__": module_name})

    def persistent_load(self, pid: Any) -> tuple[torch.dtype, str]:
        """Type and archive entry of a storage."""
        _kind, dtype, entry, _device, _count = pid
        return dtype, entry


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except CheckpointError:
        raise
    except WouldRunCodeError as error:
        raise CheckpointError(
            f"{path}: refused, since reading it the usual way would call {error}. A file of "
            "weights calls nothing: do not open it elsewhere, and get it again from its publisher"
        ) from error
    except UNREADABLE as error:
        raise CheckpointError(f"{path}: damaged ({error}); get the file again") from error


def read_archive(path: Path) -> object:
    """What a PyTorch archive holds: its plain data, with tensors as `StoredTensor`.

    Raises:
        CheckpointError: the file is damaged, is no PyTorch archive, or would run code.
    """
    with _clear_errors(path), zipfile.ZipFile(path) as archive:
        pickled = archive.read(f"{_root(path, archive)}data.pkl")
        return _InertUnpickler(io.BytesIO(pickled)).load()


def read_pickle(path: Path) -> object:
    """What a bare pickle holds: its plain data, with arrays as `StoredArray`.

    Raises:
        CheckpointError: the file is damaged or would run code.
    """
    with _clear_errors(path), path.open("rb") as file:
        return _InertUnpickler(file, encoding="latin1").load()


def read_arrays(path: Path, stored: Mapping[str, StoredArray]) -> dict[str, Tensor]:
    """The numbers of arrays that `read_pickle` found.

    Raises:
        CheckpointError: they are damaged or no plain numbers.
    """
    with _clear_errors(path):
        return {key: array.tensor() for key, array in stored.items()}


def read_tensors(path: Path, stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """The numbers of tensors that `read_archive` found.

    Raises:
        CheckpointError: they do not lie in the archive.
    """
    with _clear_errors(path), zipfile.ZipFile(path) as archive:
        root = _root(path, archive)
        return {key: _read_tensor(archive, root, place) for key, place in stored.items()}


def _root(path: Path, archive: zipfile.ZipFile) -> str:
    """The folder in the archive that everything lies in, with its slash."""
    names = archive.namelist()
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise CheckpointError(
            f"{path}: expected a PyTorch archive with one data.pkl, found {len(roots)} of them"
        )
    order = f"{roots[0]}byteorder"
    if order in names and archive.read(order) != b"little":
        raise CheckpointError(
            f"{path}: expected little-endian numbers, found {archive.read(order)!r}: save the "
            "file again on a little-endian machine"
        )
    return roots[0]


def _read_tensor(archive: zipfile.ZipFile, root: str, place: StoredTensor) -> Tensor:
    numbers = bytearray(archive.read(f"{root}data/{place.entry}"))
    if not numbers:
        return torch.empty(place.size, dtype=place.dtype)
    flat = torch.frombuffer(numbers, dtype=place.dtype)
    return flat.as_strided(place.size, place.stride, place.offset).clone()
