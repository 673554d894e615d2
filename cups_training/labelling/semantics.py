"""From a frame to its semantic map: codes, depth-guided inference, and the random field.

Labelling builds one classifier per process; the model is a fitted one, or DepthG where its weights
are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.semantics.class_map import class_map
from cups_core.semantics.depth_guided import semantic_log_probabilities
from cups_core.semantics.mean_field import MeanField
from cups_core.semantics.scene_view import CodeExtractor
from cups_core.semantics.semantic_model import SemanticModel
from cups_core.semantics.surface_geometry import view_scene
from cups_core.semantics.weight_free_codes import WeightFreeCodes
from cups_training.labelling.recipe import Recipe


class ModelClassifier:
    """Fits `FrameClassifier`.

    Attributes:
        classes: number of pseudo-classes.
    """

    def __init__(
        self, extractor: CodeExtractor, centroids: NDArray[np.float32], recipe: Recipe
    ) -> None:
        self.classes = len(centroids)
        self._extractor = extractor
        self._centroids = centroids
        self._inference = recipe.inference
        self._field = MeanField(recipe.field) if recipe.labels.crf else None

    def classify(self, frame: StereoFrame, disparity: NDArray[np.float32]) -> NDArray[np.uint8]:
        """See `FrameClassifier.classify`."""
        view = view_scene(frame, disparity)
        if self._field is None and self._extractor.is_local:
            return class_map(view, self._extractor, self._centroids, self._inference)
        found = semantic_log_probabilities(view, self._extractor, self._centroids, self._inference)
        if not np.isfinite(found).all():
            raise InputError("the class probabilities hold NaN or infinity")
        if self._field is not None:
            return self._field.labels(found, frame.left)
        return np.asarray(found.argmax(axis=0), np.uint8)


def make_classifier(model: SemanticModel, recipe: Recipe) -> ModelClassifier:
    """The classifier of a fitted model.

    Raises:
        InputError: the model lacks what its extractor needs.
    """
    return ModelClassifier(
        WeightFreeCodes.from_parameters(model.parameters), model.centroids, recipe
    )
