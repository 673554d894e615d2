"""A folder of golden numbers: manifest, arrays and pictures; the parity comparisons read it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


class GoldenFolder:
    """One part's folder.

    Attributes:
        manifest: the content of manifest.json.
        arrays: the arrays of the part's NPZ file.
    """

    def __init__(self, folder: Path, arrays: str) -> None:
        """Reads `manifest.json` and the NPZ file named `arrays` of a folder."""
        self._folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        with np.load(folder / arrays) as stored:
            self.arrays: dict[str, NDArray[Any]] = dict(stored)

    def image(self, name: str, expected_sha256: str) -> NDArray[np.uint8]:
        """An RGB picture, uint8 (H, W, 3).

        Raises:
            ValueError: its pixels are not the ones of the manifest.
        """
        image = self.picture(name)[..., ::-1].copy()
        found = hashlib.sha256(image).hexdigest()
        if found != expected_sha256:
            raise ValueError(
                f"{self._folder / name}: expected pixels of SHA-256 {expected_sha256} "
                f"(manifest.json), found {found}"
            )
        return image

    def picture(self, name: str) -> NDArray[np.uint8]:
        """A picture as OpenCV reads it, unchanged.

        Raises:
            ValueError: there is none.
        """
        picture = cv2.imread(str(self._folder / name), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise ValueError(f"{self._folder / name}: cannot be read as a picture")
        return picture

    def difference(self, name: str, found: NDArray[Any]) -> float:
        """Largest difference between an array and its stored samples, mean, std and maximum.

        Raises:
            ValueError: its shape is not the stored one.
        """
        shape = tuple(self.arrays[f"{name}_shape"])
        if found.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, found {found.shape}")
        samples = found.reshape(-1)[self.arrays[f"{name}_idx"]]
        summary = np.array(
            [
                found.mean(dtype=np.float64),
                found.std(dtype=np.float64),
                np.abs(found).max(),
            ]
        )
        return max(
            largest_difference(samples, self.arrays[f"{name}_val"]),
            largest_difference(summary, self.arrays[f"{name}_mean_std_absmax"]),
        )


def largest_difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest absolute difference of two arrays of one shape.

    Raises:
        ValueError: the shapes differ.
    """
    if found.shape != expected.shape:
        raise ValueError(f"expected shape {expected.shape}, found {found.shape}")
    return float(np.abs(found.astype(np.float64) - expected).max())
