"""What sets the tensors of a file apart from those that a network has, by key and shape.

Loading refuses by it; `cups checkpoint inspect` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

Shape = tuple[int, ...]
SHOWN_KEYS = 4


@dataclass(frozen=True)
class Differences:
    """Where a file and a network differ; false where they do not.

    Attributes:
        wanted: number of tensors of the network.
        missing: keys that the file lacks.
        reshaped: key, shape found and shape expected, as text.
        left_over: keys that the network lacks.
    """

    wanted: int
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    left_over: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.reshaped or self.left_over)

    def __str__(self) -> str:
        described = [
            f"{len(keys)} of {self.wanted} {label}: {first_of(keys)}"
            for label, keys in (
                ("are missing", self.missing),
                ("have another shape", self.reshaped),
            )
            if keys
        ]
        if self.left_over:
            described.append(
                f"{len(self.left_over)} are not part of it: {first_of(self.left_over)}"
            )
        return "; ".join(described)


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Shape]) -> Differences:
    """Compare the tensors of a file with the shapes of a network."""
    reshaped = [
        f"{key} is {tuple(found[key].shape)} instead of {wanted[key]}"
        for key in wanted.keys() & found.keys()
        if tuple(found[key].shape) != wanted[key]
    ]
    return Differences(
        len(wanted),
        tuple(sorted(wanted.keys() - found.keys())),
        tuple(sorted(reshaped)),
        tuple(sorted(found.keys() - wanted.keys())),
    )


def first_of(keys: Iterable[str]) -> str:
    """The first few, in order."""
    ordered = sorted(keys)
    return ", ".join(ordered[:SHOWN_KEYS]) + (", ..." if len(ordered) > SHOWN_KEYS else "")
