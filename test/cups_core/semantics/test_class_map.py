"""Is the map that of the most probable classes, as the probabilities say it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.semantics.class_map import class_map
from cups_core.semantics.depth_guided import InferenceSettings, semantic_log_probabilities
from cups_core.semantics.scene_view import SceneView


class Averages:
    """Codes of a few numbers mixed from the mean colors of cells."""

    cell_px = 8

    def __init__(self, *, is_local: bool = True, fault: float = 0.0) -> None:
        self.is_local = is_local
        self._fault = fault
        self._mix = np.random.default_rng(5).normal(size=(3, 6)).astype(np.float32)

    def codes(self, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """Means of cells, centered, mixed."""
        found = []
        for view in views:
            rows, columns = (side // self.cell_px for side in view.shape)
            cells = view.image.reshape(rows, self.cell_px, columns, self.cell_px, 3)
            mean = cells.mean(axis=(1, 3), dtype=np.float64) - 127.5 + self._fault
            found.append(np.moveaxis(mean.astype(np.float32) @ self._mix, -1, 0))
        return np.stack(found)


def view(height: int, width: int) -> SceneView:
    random = np.random.default_rng(height)
    depth = random.uniform(0.2, 30, (height, width)).astype(np.float32)
    depth[random.random((height, width)) < 0.2] = np.nan
    image = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    image = np.kron(image, np.ones((8, 8, 1), np.uint8))[:height, :width]
    return SceneView(image, depth)


CENTROIDS = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
DEFAULTS = InferenceSettings()


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 71)])
def test_it_is_the_most_probable_class(height: int, width: int, guided: bool) -> None:
    settings = InferenceSettings(depth_guidance=guided)
    seen = view(height, width)
    found = class_map(seen, Averages(), CENTROIDS, settings)
    probable = semantic_log_probabilities(seen, Averages(), CENTROIDS, settings.depth_guidance)
    chosen = np.take_along_axis(probable, found[None].astype(np.int64), axis=0)[0]
    # Where two are equally probable to rounding, either may win.
    assert (probable.max(axis=0) - chosen).max() < 1e-5
    assert (found == probable.argmax(axis=0)).mean() > 0.999
    assert len(np.unique(found)) > 4


def test_codes_that_depend_on_the_window_are_refused() -> None:
    with pytest.raises(InputError, match="depend on the window"):
        class_map(view(64, 64), Averages(is_local=False), CENTROIDS, DEFAULTS)


def test_codes_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        class_map(view(64, 64), Averages(fault=np.nan), CENTROIDS, DEFAULTS)
