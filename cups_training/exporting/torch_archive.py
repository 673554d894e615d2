"""Tables of whole numbers as PyTorch stores them, without PyTorch and with the same bytes always.

The published trainer's statistics are such a file: `torch.load` gives a dict of int64 tensors.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ARCHIVE = "archive"
VERSION = b"3\n"


def torch_archive(tensors: Mapping[str, NDArray[np.int64]]) -> bytes:
    """The content of a `.pt` file with one-dimensional tensors.

    It is a zip of uncompressed members: a pickle that names storages, and the storages as raw
    little-endian numbers (PyTorch, serialization notes).

    Args:
        tensors: int64 (N,) each.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", _pickle({name: len(one) for name, one in tensors.items()}))
        _add(archive, "byteorder", b"little")
        for number, one in enumerate(tensors.values()):
            _add(archive, f"data/{number}", one.astype("<i8").tobytes())
        _add(archive, "version", VERSION)
    return content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # Without a date of its own the member would carry today's.
    archive.writestr(zipfile.ZipInfo(f"{ARCHIVE}/{name}"), content)


def _pickle(lengths: Mapping[str, int]) -> bytes:
    """{name: _rebuild_tensor_v2(storage, offset 0, shape, stride 1, no gradient, no hooks)}."""
    items = b"".join(
        _text(name) + _tensor(number, length)
        for number, (name, length) in enumerate(lengths.items())
    )
    return pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS + b"."


def _tensor(number: int, length: int) -> bytes:
    storage = (
        pickle.MARK
        + _text("storage")
        + _name("torch", "LongStorage")
        + _text(str(number))
        + _text("cpu")
        + _whole(length)
        + pickle.TUPLE
        + pickle.BINPERSID
    )
    hooks = _name("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = (
        pickle.MARK
        + storage
        + _whole(0)
        + _whole(length)
        + pickle.TUPLE1
        + _whole(1)
        + pickle.TUPLE1
        + pickle.NEWFALSE
        + hooks
        + pickle.TUPLE
    )
    return _name("torch._utils", "_rebuild_tensor_v2") + arguments + pickle.REDUCE


def _text(value: str) -> bytes:
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _whole(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()
