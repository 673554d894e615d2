"""Stand-ins for what pickles of weights name: tensors, containers, and objects nobody needs.

`inert_pickle` gives them to the unpickler instead of the real things, so that nothing of a file is
executed and nothing is imported for it.
"""

from __future__ import annotations

import torch

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


class Sealed:
    """Drops state that a pickle wants to put into it, into its instances and into itself alike."""

    def __setstate__(self, state: object) -> None:
        pass


class StoredTensor(Sealed):
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


class StoredParameter(Sealed):
    """Stands for PyTorch's `_rebuild_parameter`: the tensor without what training adds to it."""

    def __new__(cls, tensor: StoredTensor, *_training: object) -> StoredTensor:  # type: ignore[misc]
        """The tensor alone."""
        return tensor


class PlainDict(Sealed, dict[object, object]):
    """A state dict; attributes that were pickled with it are dropped."""


class WouldRunCodeError(Exception):
    """The pickle calls something that does more than rebuild data."""


class NeverCalled(type):
    """Class of the stand-ins: a pickle that calls one gets an empty record or is refused.

    Making an object without calling its class, as pickles do with data, does not come by here.
    """

    def __call__(cls, *arguments: object, **_named: object) -> object:
        """An empty record for what rebuilds data.

        Raises:
            WouldRunCodeError: the class or function does more.
        """
        name = f"{cls.__module__}.{cls.__qualname__}"
        if cls.__module__.partition(".")[0] in PACKAGES_OF_DATA or name in FUNCTIONS_OF_DATA:
            return ForeignObject.__new__(ForeignObject)
        shown = ", ".join(map(repr, arguments))
        if len(shown) > LONGEST_ARGUMENTS:
            shown = shown[:LONGEST_ARGUMENTS] + "..."
        raise WouldRunCodeError(f"{name}({shown})")


class ForeignObject(Sealed, metaclass=NeverCalled):
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
