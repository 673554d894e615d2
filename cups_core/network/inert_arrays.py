"""Stand-ins for NumPy's arrays in pickles, as detectron2 writes its model files.

`inert_pickle` gives them to the unpickler; `checkpoint_files` makes tensors of what they hold.
"""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_core.network.inert_objects import Sealed

NUMBERS = re.compile(r"[fiu][1248]|b1")
BYTE_ORDERS = {"<": "<", "|": "|", "=": "<"}


class StoredDtype(Sealed):
    """A number type; only plain numbers are read."""

    def __init__(self, code: str, *_options: object) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def numpy(self) -> np.dtype[Any]:
        """NumPy's type of that name.

        Raises:
            pickle.UnpicklingError: it is no type of plain numbers.
        """
        if not NUMBERS.fullmatch(self.code) or self.order not in BYTE_ORDERS:
            raise pickle.UnpicklingError(f"an array of type {self.order}{self.code}")
        return np.dtype(BYTE_ORDERS[self.order] + self.code)


class StoredArray(Sealed):
    """What a pickle says of an array; the arguments of NumPy's `_reconstruct` say nothing yet."""

    def __init__(self, *_arguments: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.dtype: StoredDtype | None = None
        self.is_fortran = False
        self.numbers: bytes | str = b""

    def __setstate__(self, state: Any) -> None:
        _version, self.shape, self.dtype, self.is_fortran, self.numbers = state

    def tensor(self) -> Tensor:
        """Its numbers.

        Raises:
            pickle.UnpicklingError, ValueError: they do not make an array.
        """
        if not isinstance(self.dtype, StoredDtype):
            raise pickle.UnpicklingError("an array without a type")
        dtype, numbers = self.dtype.numpy(), self.numbers
        # What Python 2 wrote as bytes is read as Latin-1 text.
        raw = numbers.encode("latin1") if isinstance(numbers, str) else bytes(numbers)
        flat = np.frombuffer(raw, dtype)
        array = flat.reshape(self.shape, order="F" if self.is_fortran else "C")
        return torch.from_numpy(np.array(array, order="C"))


class ArrayFromBuffer(Sealed):
    """Stands for NumPy's `_frombuffer`, which newer pickles make arrays with."""

    def __new__(  # type: ignore[misc]
        cls, numbers: bytes, dtype: StoredDtype, shape: tuple[int, ...], order: str
    ) -> StoredArray:
        """The array of those bytes."""
        array = StoredArray()
        array.__setstate__((1, shape, dtype, order == "F", numbers))
        return array


class EncodedText(Sealed):
    """Stands for `_codecs.encode`, with which older pickles write bytes as text."""

    def __new__(cls, text: str, encoding: str = "latin1") -> bytes:  # type: ignore[misc]
        """The bytes of which each became one character."""
        if encoding != "latin1" or not isinstance(text, str):
            raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
        return text.encode("latin1")


class NoBytes(Sealed):
    """Stands for `bytes`, which older pickles call for the numbers of an empty array."""

    def __new__(cls, *_arguments: object) -> bytes:  # type: ignore[misc]
        """No bytes; what else is made of them is nothing that a network needs."""
        return b""


ARRAY_NAMES: dict[str, type] = {
    "numpy.ndarray": StoredArray,
    "numpy.dtype": StoredDtype,
    "_codecs.encode": EncodedText,
    "builtins.bytes": NoBytes,
    "__builtin__.bytes": NoBytes,
    **{
        f"numpy.{core}.{name}": stand_in
        for core in ("core", "_core")
        for name, stand_in in (
            ("multiarray._reconstruct", StoredArray),
            ("numeric._frombuffer", ArrayFromBuffer),
        )
    },
}
