"""A fitted semantic model as one file: centroids, what makes the codes, and where they come from.

`cups fit-semantics` writes it; `cups label` reads it.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

FORMAT = "cups-semantic-model-1"
EXTRACTORS = ("weight-free", "vision-transformer")
_PARAMETER = "parameter/"


@dataclass(frozen=True, eq=False)
class SemanticModel:
    """Pseudo-classes and the extractor whose codes they are the directions of.

    Attributes:
        centroids: float32 (C, D).
        extractor: one of `EXTRACTORS`.
        parameters: arrays of the extractor: the whitening of weight-free codes, or the head of a
            network.
        provenance: what JSON can hold: configuration, version, seed, sha256 of the weights.

    Raises:
        InputError: the centroids or the name of the extractor are not such.
    """

    centroids: NDArray[np.float32]
    extractor: str
    parameters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.extractor not in EXTRACTORS:
            raise InputError(
                f"semantic model: expected an extractor among {', '.join(EXTRACTORS)}, found "
                f"{self.extractor!r}"
            )
        if (
            self.centroids.ndim != 2
            or self.centroids.dtype != np.float32
            or not np.isfinite(self.centroids).all()
            or not self.centroids.any(axis=1).all()
        ):
            raise InputError(
                "semantic model: expected finite float32 centroids (C, D), none of them zero, "
                f"found {self.centroids.dtype} {self.centroids.shape}"
            )

    def save(self, path: Path) -> None:
        """Writes the file at once or not at all; the same model gives the same bytes.

        Raises:
            InputError: the folder does not exist or cannot be written to.
        """
        header = {
            "format": FORMAT,
            "extractor": self.extractor,
            "provenance": dict(self.provenance),
        }
        text = json.dumps(header, sort_keys=True, indent=1)
        arrays = {"header": np.frombuffer(text.encode(), np.uint8), "centroids": self.centroids}
        arrays |= {_PARAMETER + name: self.parameters[name] for name in sorted(self.parameters)}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        unfinished = path.with_name(path.name + ".unfinished")
        try:
            with unfinished.open("wb") as file:
                file.write(buffer.getvalue())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as problem:
            raise InputError(f"semantic model: {path} cannot be written: {problem}") from problem

    @classmethod
    def load(cls, path: Path) -> SemanticModel:
        """Reads a file that `save` wrote; nothing in it is executed.

        Raises:
            InputError: there is no such file, or it is not a semantic model of this format.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except OSError as problem:
            raise InputError(f"semantic model: {path} cannot be read: {problem}") from problem
        except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as problem:
            raise InputError(
                f"semantic model: {path} is no semantic model ({problem}); expected a file that "
                "`cups fit-semantics` wrote"
            ) from problem
        header = _header(arrays, path)
        return cls(
            arrays["centroids"],
            header["extractor"],
            {
                name.removeprefix(_PARAMETER): values
                for name, values in arrays.items()
                if name.startswith(_PARAMETER)
            },
            header["provenance"],
        )


def _header(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, Any]:
    found = ", ".join(sorted(arrays)) or "nothing"
    if not {"header", "centroids"} <= set(arrays):
        raise InputError(
            f"semantic model: {path} holds {found}; expected `header` and `centroids` as "
            "`cups fit-semantics` writes them"
        )
    try:
        header = json.loads(arrays["header"].tobytes().decode())
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise InputError(f"semantic model: header of {path} is damaged: {problem}") from problem
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        version = header.get("format") if isinstance(header, dict) else header
        raise InputError(
            f"semantic model: {path} has format {version!r}, expected {FORMAT!r}: fit it again "
            "with this version"
        )
    lacking = {"extractor", "provenance"} - set(header)
    if lacking:
        raise InputError(f"semantic model: header of {path} lacks {', '.join(sorted(lacking))}")
    return header
