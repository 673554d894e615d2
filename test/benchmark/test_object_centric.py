"""Does the object-centric baseline find what is there to be found in one picture?"""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.object_centric import object_masks, sharpen

CELLS = (20, 40)
SHAPE = (160, 320)


def codes_of(classes: np.ndarray, noise: float = 0.1) -> np.ndarray:
    """One direction in feature space for each class, none alike another, and some noise."""
    generator = np.random.default_rng(0)
    codes = np.eye(5, dtype=np.float32)[classes].transpose(2, 0, 1)
    return (codes + noise * generator.standard_normal(codes.shape)).astype(np.float32)


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


def test_a_lone_object_is_the_first_mask() -> None:
    classes = np.zeros(CELLS, int)
    classes[5:12, 10:22] = 1
    found = object_masks(codes_of(classes), SHAPE)
    assert found.shape == SHAPE
    assert found.dtype == np.uint16
    assert overlap(found == 1, np.kron(classes, np.ones((8, 8))) > 0) > 0.95


def test_several_objects_get_a_mask_each_and_no_more_than_three() -> None:
    classes = np.zeros(CELLS, int)
    for number in range(4):
        classes[6:13, 2 + 10 * number : 8 + 10 * number] = number + 1
    found = object_masks(codes_of(classes), SHAPE)
    assert set(np.unique(found)) == {0, 1, 2, 3}
    true = np.kron(classes, np.ones((8, 8), int))
    best = [max(overlap(found == m, true == k) for k in range(1, 5)) for m in (1, 2, 3)]
    assert min(best) > 0.9


def test_the_same_codes_give_the_same_masks_and_longer_codes_do_not_matter() -> None:
    codes = np.random.default_rng(1).standard_normal((8, *CELLS)).astype(np.float32)
    first = object_masks(codes, SHAPE)
    assert (object_masks(4 * codes, SHAPE) == first).all()


def test_a_finer_grid_than_the_graph_can_hold_is_averaged() -> None:
    classes = np.zeros((80, 160), int)
    classes[20:48, 40:88] = 1
    found = object_masks(codes_of(classes), SHAPE)
    assert overlap(found == 1, np.kron(classes, np.ones((2, 2))) > 0) > 0.8


@pytest.mark.parametrize("shift", [-5, 5])
def test_sharpening_moves_a_border_to_the_edge_of_the_picture(shift: int) -> None:
    image = np.full((*SHAPE, 3), 60, np.uint8)
    image[40:120, 100:200] = 200
    true = image[..., 0] > 100
    rough = np.roll(true, shift, axis=1).astype(np.uint16)
    sharp = sharpen(rough, image)
    assert overlap(sharp == 1, true) > overlap(rough == 1, true)
    assert overlap(sharp == 1, true) > 0.97
