"""Codes that need no network: whitened, weighted features of appearance and geometry.

`cups fit-semantics --features weight-free` fits one; `cups label` runs it on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.semantics.appearance import PARTS, describe
from cups_core.semantics.scene_view import SceneView
from cups_core.settings import setting

# Directions with less than this share of a part's largest variance are noise, not to be amplified.
_SMALLEST_VARIANCE = 0.02


@dataclass(frozen=True)
class WeightFreeSettings:
    """Size of the cells, and how much each part of the features counts; 0 leaves a part out."""

    cell_px: int = setting(8, "side of the square that one code describes", minimum=4, maximum=32)
    colour: float = setting(1.0, "weight of colour", minimum=0.0, maximum=10.0)
    texture: float = setting(1.0, "weight of texture", minimum=0.0, maximum=10.0)
    height: float = setting(1.0, "weight of height above the road", minimum=0.0, maximum=10.0)
    normal: float = setting(0.7, "weight of surface orientation", minimum=0.0, maximum=10.0)
    position: float = setting(0.7, "weight of elevation in the picture", minimum=0.0, maximum=10.0)
    distance: float = setting(0.4, "weight of distance", minimum=0.0, maximum=10.0)


class WeightFreeCodes:
    """A code extractor of features alone; see `CodeExtractor`.

    Args:
        cell_px: side of a cell, pixels.
        mean: float32 (F,), of the features.
        transform: float32 (F, D), whitens each part and weighs it.

    Raises:
        InputError: sizes do not fit the features of this version.
    """

    is_local = True

    def __init__(
        self, cell_px: int, mean: NDArray[np.float32], transform: NDArray[np.float32]
    ) -> None:
        features = sum(PARTS.values())
        if mean.shape != (features,) or transform.ndim != 2 or len(transform) != features:
            raise InputError(
                f"weight-free codes: expected a mean and a transform of {features} features, found "
                f"{mean.shape} and {transform.shape}: fit the model again with this version"
            )
        self.cell_px = cell_px
        self.mean = mean
        self.transform = transform

    def codes(self, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """Codes of views, float32 (N, D, h, w); see `CodeExtractor`.

        Raises:
            InputError: views differ in size, lack a surface, or do not divide into cells.
        """
        if len({view.shape for view in views}) != 1:
            raise InputError(
                f"views: expected one size, found {sorted({view.shape for view in views})}"
            )
        described = np.stack([describe(view, self.cell_px) for view in views])
        codes = (described - self.mean) @ self.transform
        return np.ascontiguousarray(np.moveaxis(codes, -1, 1))

    def parameters(self) -> dict[str, NDArray[np.generic]]:
        """What `from_parameters` needs to make the same extractor again."""
        return {
            "cell_px": np.array(self.cell_px, np.int64),
            "mean": self.mean,
            "transform": self.transform,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, NDArray[np.generic]]) -> WeightFreeCodes:
        """The extractor of a fitted model.

        Raises:
            InputError: a parameter is missing or does not fit.
        """
        missing = {"cell_px", "mean", "transform"} - set(parameters)
        if missing:
            raise InputError(
                f"weight-free codes: {', '.join(sorted(missing))} missing among the model's "
                f"parameters {', '.join(sorted(parameters)) or '(none)'}"
            )
        return cls(
            int(parameters["cell_px"]),
            np.asarray(parameters["mean"], np.float32),
            np.asarray(parameters["transform"], np.float32),
        )

    @classmethod
    def fitted(cls, features: NDArray[np.float32], settings: WeightFreeSettings) -> WeightFreeCodes:
        """Whitens each part by the given features: mean 0, decorrelated, its weight in total.

        Args:
            features: float32 (N, F) as `describe` makes them, a sample of many frames.
            settings: weights of the parts.

        Raises:
            InputError: no part has a weight, or there are too few features.
        """
        weights = asdict(settings)
        if len(features) <= features.shape[1]:
            raise InputError(
                f"weight-free codes: expected more than {features.shape[1]} samples, found "
                f"{len(features)}: give more frames"
            )
        mean = features.mean(axis=0, dtype=np.float64)
        blocks, first = [], 0
        for part, count in PARTS.items():
            if weights[part] > 0:
                block = np.zeros((features.shape[1], count))
                rows = slice(first, first + count)
                block[rows] = _whitening(features[:, rows] - mean[rows]) * weights[part]
                blocks.append(block)
            first += count
        if not blocks:
            raise InputError("weight-free codes: all weights are 0; at least one part must count")
        transform = np.concatenate(blocks, axis=1)
        return cls(settings.cell_px, mean.astype(np.float32), transform.astype(np.float32))


def _whitening(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, F): makes the covariance the identity over F, as far as the data has variance."""
    channels = centered.shape[1]
    variance, axes = np.linalg.eigh(centered.T @ centered / len(centered))
    least = max(_SMALLEST_VARIANCE * float(variance.max()), 1e-12)
    # eigh leaves the sign open; the largest entry of an axis shall be positive.
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(channels)])
    result: NDArray[np.float64] = axes * signs / np.sqrt(np.maximum(variance, least) * channels)
    return result
