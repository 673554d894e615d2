"""Reads the tensors of a PyTorch archive, even one that pickles classes of other packages.

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
# Configuration objects call these to rebuild plain data. They are not called here either; any
# other call in a file of weights is a reason to refuse the whole file.
PACKAGES_OF_DATA = {
    "argparse",
    "collections",
    "datetime",
    "enum",
    "lightning",
    "lightning_fabric",
    "lightning_utilities",
    "numpy",
    "omegaconf",
    "pathlib",
    "pytorch_lightning",
    "torch",
    "typing",
    "yacs",
}
FUNCTIONS_OF_DATA = {
    "_codecs.encode",
    "copyreg._reconstructor",
    "copy_reg._reconstructor",
    "operator.getitem",
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("bytearray", "bytes", "complex", "dict", "frozenset", "list", "set", "slice")
    ),
}
LONGEST_ARGUMENTS = 120
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


class _Sealed:
    """Drops state that a pickle wants to put into it, into its instances and into itself alike."""

    def __setstate__(self, state: object) -> None:
        pass


class StoredTensor(_Sealed):
    """Where a tensor lies in the archive; its numbers are read only when it is wanted.

    The pickle makes it with the arguments of PyTorch's `_rebuild_tensor_v2`.
    """

    def __init__(
        self,
        storage: tuple[torch.dtype, str],
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_training: object,
    ) -> None:
        self.dtype, self.entry = storage
        self.offset, self.size, self.stride = offset, size, stride


class _Parameter(_Sealed):
    """Stands for PyTorch's `_rebuild_parameter`: the tensor without what training adds to it."""

    def __new__(cls, tensor: StoredTensor, *_training: object) -> StoredTensor:  # type: ignore[misc]
        return tensor


class _OrderedDict(_Sealed, dict[object, object]):
    """A state dict; attributes that were pickled with it are dropped."""


class _WouldRunCodeError(Exception):
    """The pickle calls something that does more than rebuild data."""


class _NeverCalled(type):
    """Class of the stand-ins: a pickle that calls one gets an empty record or is refused.

    Making an object without calling its class, as pickles do with data, does not come by here.
    """

    def __call__(cls, *arguments: object, **_named: object) -> object:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if cls.__module__.partition(".")[0] in PACKAGES_OF_DATA or name in FUNCTIONS_OF_DATA:
            return ForeignObject.__new__(ForeignObject)
        shown = ", ".join(map(repr, arguments))
        if len(shown) > LONGEST_ARGUMENTS:
            shown = shown[:LONGEST_ARGUMENTS] + "..."
        raise _WouldRunCodeError(f"{name}({shown})")


class ForeignObject(_Sealed, metaclass=_NeverCalled):
    """An object of a class that is not known here; it forgets whatever the file gives it."""

    def __new__(cls, *_arguments: object) -> ForeignObject:
        """An empty record, whatever the class would have been given."""
        return object.__new__(cls)

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Take an item of a list."""

    def extend(self, items: object) -> None:
        """Take items of a list."""

    def add(self, item: object) -> None:
        """Take an item of a set."""


KNOWN = {
    "collections.OrderedDict": _OrderedDict,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": _Parameter,
    **{f"torch.{name}": dtype for name, dtype in DTYPES.items()},
}


class _InertUnpickler(pickle.Unpickler):
    """Knows tensors and ordered dicts; every other name becomes a stand-in of that name."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        known = KNOWN.get(f"{module_name}.{global_name}")
        if known is not None:
            return known
        return _NeverCalled(global_name, (ForeignObject,), {"__module__": module_name})

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
    except _WouldRunCodeError as error:
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
