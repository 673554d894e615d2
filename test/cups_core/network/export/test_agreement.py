"""Agreement of two models' outputs."""

from __future__ import annotations

import numpy as np
import pytest

from cups_core.network.export.comparison import compare
from cups_core.runtime.backend import Outputs
from cups_core.runtime.sidecar import CASCADE, ModelClass, ModelInput, ModelSidecar

SIDECAR = ModelSidecar(
    kind=CASCADE,
    input=ModelInput("image", 64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    classes=(ModelClass(0, "road", False, (0, 0, 0)), ModelClass(1, "car", True, (0, 0, 0))),
    thresholds={"least_score": 0.5},
    precision="fp32",
    sha256="0" * 64,
)
IMAGE = np.zeros((64, 64, 3), np.uint8)


def outputs(*boxes: tuple[int, int, int, int], score: float = 0.9, row: int = 0) -> Outputs:
    """Objects on a road; the first `row` rows of cells are called a thing instead."""
    semantic = np.zeros((1, 2, 16, 16), np.float32)
    semantic[0, 1] = 1
    semantic[0, 1, :row] = -1
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "scores": np.full(len(boxes), score, np.float32),
        "labels": np.zeros(len(boxes), np.int32),
        "masks": np.ones((len(boxes), 28, 28), np.float32),
        "semantic": semantic,
    }


FIRST, SECOND = (0, 0, 20, 20), (40, 40, 60, 60)


def test_a_model_agrees_with_itself() -> None:
    same = outputs(FIRST, SECOND)
    found = compare([same], [same], SIDECAR, [IMAGE])
    assert (found.semantic, found.detections, found.panoptic_quality) == (1, 1, 1)


def test_order_does_not_matter_and_no_detection_counts_twice() -> None:
    twice = compare([outputs(FIRST, SECOND)], [outputs(SECOND, FIRST, FIRST)], SIDECAR, [IMAGE])
    assert twice.detections == pytest.approx(4 / 5)


def test_a_lost_object_costs_detections_and_quality() -> None:
    found = compare([outputs(FIRST, SECOND)], [outputs(FIRST)], SIDECAR, [IMAGE])
    assert found.detections == pytest.approx(2 / 3)
    assert found.panoptic_quality < 0.9


def test_cells_count_where_the_best_channel_differs() -> None:
    found = compare([outputs(FIRST)], [outputs(FIRST, row=4)], SIDECAR, [IMAGE])
    assert found.semantic == pytest.approx(12 / 16)


def test_detections_below_the_threshold_are_none() -> None:
    found = compare([outputs(FIRST)], [outputs(FIRST, score=0.4)], SIDECAR, [IMAGE])
    assert found.detections == 0
