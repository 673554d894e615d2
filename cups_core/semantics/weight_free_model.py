"""A fitted weight-free model as one file: extractor, centroids, and where they come from.

`cups fit-semantics` makes it; `cups label` reads it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.semantics.weight_free_codes import WeightFreeCodes

FORMAT = "cups-weight-free-model-1"
_ARRAYS = {"header", "cell_px", "mean", "transform", "centroids"}


@dataclass(frozen=True, eq=False)
class WeightFreeModel:
    """Pseudo-classes and the extractor whose codes they are directions of.

    Attributes:
        extractor: makes the codes.
        centroids: float32 (C, D), none of them zero.
        provenance: what JSON can hold: configuration, version, frames.

    Raises:
        InputError: centroids and extractor do not belong together.
    """

    extractor: WeightFreeCodes
    centroids: NDArray[np.float32]
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        dimension = self.extractor.transform.shape[1]
        if (
            self.centroids.ndim != 2
            or self.centroids.dtype != np.float32
            or self.centroids.shape[1] != dimension
            or not np.isfinite(self.centroids).all()
            or not self.centroids.any(axis=1).all()
        ):
            raise InputError(
                f"centroids: expected finite float32 (C, {dimension}) as the extractor's codes "
                f"are, none of them zero, found {self.centroids.dtype} {self.centroids.shape}"
            )

    def content(self) -> bytes:
        """The file's bytes; the same model has the same ones."""
        header = {"format": FORMAT, "provenance": dict(self.provenance)}
        text = json.dumps(header, sort_keys=True, indent=1)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            header=np.frombuffer(text.encode(), np.uint8),
            cell_px=np.array(self.extractor.cell_px, np.int64),
            mean=self.extractor.mean,
            transform=self.extractor.transform,
            centroids=self.centroids,
        )
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> WeightFreeModel:
        """The model in a file with such content; nothing in it is executed.

        Raises:
            InputError: there is no such file, or it holds something else.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except OSError as problem:
            raise InputError(f"{path}: cannot be read ({problem.strerror})") from problem
        except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as problem:
            raise InputError(
                f"{path}: expected a model of `cups fit-semantics --features weight-free`, found "
                f"something else ({problem})"
            ) from problem
        provenance = _provenance(arrays, path)
        extractor = WeightFreeCodes(int(arrays["cell_px"]), arrays["mean"], arrays["transform"])
        return cls(extractor, arrays["centroids"], provenance)


def _provenance(arrays: Mapping[str, NDArray[Any]], path: Path) -> dict[str, Any]:
    if set(arrays) != _ARRAYS:
        raise InputError(
            f"{path}: expected the arrays {', '.join(sorted(_ARRAYS))} of a weight-free model, "
            f"found {', '.join(sorted(arrays)) or 'none'}"
        )
    try:
        header = json.loads(arrays["header"].tobytes())
        found, provenance = header["format"], header["provenance"]
    except (ValueError, TypeError, KeyError) as problem:
        raise InputError(f"{path}: the header is damaged ({problem!r})") from problem
    if found != FORMAT:
        raise InputError(
            f"{path}: expected format {FORMAT}, found {found}: fit it again with this version"
        )
    return dict(provenance)
