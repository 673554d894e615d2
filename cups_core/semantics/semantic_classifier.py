"""From a stereo frame to its pseudo-classes: view, codes, depth-guided inference, random field.

`cups label` asks it per frame; the extractor is a network or made of features alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.semantics.class_map import class_map
from cups_core.semantics.depth_guided import (
    InferenceSettings,
    most_probable,
    semantic_log_probabilities,
)
from cups_core.semantics.mean_field import MeanField, MeanFieldSettings
from cups_core.semantics.scene_view import CodeExtractor, SceneView
from cups_core.semantics.surface_geometry import view_scene


class SemanticClassifier:
    """Pseudo-classes of frames by one extractor and its centroids.

    Args:
        extractor: makes codes of length D.
        centroids: float32 (C, D), C at most 255.
        settings: how frames are read.
        field: the random field at the end, reaches in pixels of a whole frame; None = the most
            probable class of each pixel by itself.

    Attributes:
        classes: number of pseudo-classes, C.
    """

    def __init__(
        self,
        extractor: CodeExtractor,
        centroids: NDArray[np.float32],
        settings: InferenceSettings,
        field: MeanFieldSettings | None,
    ) -> None:
        self.classes = len(centroids)
        self._extractor = extractor
        self._centroids = centroids
        self._settings = settings
        if field is not None and settings.half_size:
            field = dataclasses.replace(field, colour_px=field.colour_px / 2)
        self._field = None if field is None else MeanField(field)

    def classify(self, frame: StereoFrame, disparity: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Pseudo-class of each pixel.

        Args:
            frame: rectified stereo frame.
            disparity: float32 (H, W) of the left view, pixels, 0 = unknown.

        Returns:
            uint8 (H, W), 0 to C - 1.

        Raises:
            InputError: sizes differ, codes and centroids do not fit, or the codes are no numbers.
        """
        if not self._settings.half_size:
            return self._labels(view_scene(frame, disparity))
        height, width = frame.rig.shape
        small = self._labels(view_scene(frame, disparity, step=2))
        return np.ascontiguousarray(small.repeat(2, axis=0).repeat(2, axis=1)[:height, :width])

    def _labels(self, view: SceneView) -> NDArray[np.uint8]:
        guided = self._settings.depth_guidance
        if self._field is None and self._extractor.is_local:
            return class_map(view, self._extractor, self._centroids, guided)
        found = semantic_log_probabilities(view, self._extractor, self._centroids, guided)
        if not np.isfinite(found).all():
            raise InputError("class probabilities: found NaN or infinity")
        if self._field is None:
            labels: NDArray[np.uint8] = most_probable(found)
            return labels
        return self._field.labels(found, np.rint(view.image).astype(np.uint8))
