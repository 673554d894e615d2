"""Pasting of masks and their combination with a semantic map to one panoptic map."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.mask_pasting import paste
from cups_core.panoptic_combination import CombinationSettings, Detections, combine

HEIGHT, WIDTH, STUFFS = 40, 64, 3
FULL = np.ones((28, 28), np.float32)
ROAD = np.full((HEIGHT, WIDTH), 1)


def detections(*items: tuple[list[float], float, int]) -> Detections:
    """Full masks of (box, score, class)."""
    return Detections(
        np.array([box for box, _, _ in items], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in items], np.float32),
        np.array([label for _, _, label in items], np.int64),
        np.ones((len(items), 28, 28), np.float32),
    )


def covered(mask: NDArray[np.float32], box: list[float]) -> NDArray[np.bool_]:
    top, left, patch = paste(mask, np.array(box, np.float32), HEIGHT, WIDTH)
    whole = np.zeros((HEIGHT, WIDTH), bool)
    whole[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return whole


def test_a_pasted_mask_is_what_pytorch_samples() -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(4)
    y, x = np.arange(HEIGHT) + 0.5, np.arange(WIDTH) + 0.5
    for _ in range(40):
        center, half = generator.uniform(0, (WIDTH, HEIGHT)), generator.uniform(0.3, 40, 2)
        box = np.concatenate([center - half, center + half]).astype(np.float32)
        mask = generator.random((28, 28), np.float32)
        places = np.stack(
            np.broadcast_arrays(
                ((x - box[0]) / (box[2] - box[0]) * 2 - 1)[None],
                ((y - box[1]) / (box[3] - box[1]) * 2 - 1)[:, None],
            ),
            -1,
        )
        read = torch.nn.functional.grid_sample(
            torch.from_numpy(mask)[None, None],
            torch.from_numpy(places.astype(np.float32))[None],
            align_corners=False,
        )[0, 0].numpy()
        decided = np.abs(read - 0.5) > 1e-4
        np.testing.assert_array_equal(covered(mask, box.tolist())[decided], (read >= 0.5)[decided])


def test_a_full_mask_covers_the_pixels_whose_centers_its_box_covers() -> None:
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[5:20, 10:30] = True
    np.testing.assert_array_equal(covered(FULL, [10, 5, 30, 20]), expected)
    assert covered(FULL, [-100, -100, 200, 200]).all()


@pytest.mark.parametrize(
    "box", [[100, 5, 130, 20], [5, -30, 20, -10], [10, 10, 10, 30]], ids=["right", "above", "empty"]
)
def test_boxes_outside_and_empty_boxes_cover_nothing(box: list[float]) -> None:
    assert not covered(FULL, box).any()


def test_better_detections_keep_their_pixels_and_stuff_fills_the_rest() -> None:
    found = combine(
        detections(([0, 0, 20, 20], 0.7, 1), ([10, 0, 40, 20], 0.9, 0)),
        ROAD,
        STUFFS,
        CombinationSettings(),
    )
    first, second, road = found.table
    assert (first.class_id, first.is_thing, first.area_px) == (STUFFS + 0, True, 600)
    assert first.score == pytest.approx(0.9)
    assert (second.class_id, second.area_px, second.box) == (STUFFS + 1, 200, (0, 0, 10, 20))
    assert (road.class_id, road.is_thing) == (0, False)
    assert road.area_px == HEIGHT * WIDTH - 800
    assert (found.segments[:20, 10:40] == 1).all()
    assert (found.segments[:20, :10] == 2).all()


def test_a_detection_that_is_mostly_covered_is_left_out() -> None:
    """Half covered is still accepted."""
    better = ([0.0, 0, 20, 20], 0.9, 0)
    for left, accepted in ((10, 2), (9, 1)):
        other = ([float(left), 0, left + 20.0, 20], 0.8, 1)
        found = combine(detections(better, other), ROAD * 0, STUFFS, CombinationSettings())
        assert len(found.table) == accepted


def test_detections_below_the_score_are_left_out() -> None:
    given = detections(([0, 0, 20, 20], 0.5, 0), ([30, 0, 50, 20], 0.49, 0))
    found = combine(given, ROAD * 0, STUFFS, CombinationSettings(least_score=0.5))
    assert [segment.score for segment in found.table] == [0.5]


def test_pixels_of_things_without_a_detection_stay_void() -> None:
    found = combine(detections(), ROAD * 0, STUFFS, CombinationSettings())
    assert not found.segments.any()
    assert found.table == ()


def test_small_stuff_stays_void_by_its_share_of_the_image() -> None:
    settings = CombinationSettings()
    assert settings.stuff_limit_px(1024, 2048) == 4096
    assert settings.stuff_limit_px(512, 1024) == 1024
    assert CombinationSettings(least_stuff_px=4096).stuff_limit_px(512, 1024) == 4096
    labels = ROAD.copy()
    # 1/512 of 40 x 64 pixels is 5.
    labels[0, :5], labels[1, :4] = 2, 3
    found = combine(detections(), labels, STUFFS, settings)
    assert [(s.class_id, s.area_px) for s in found.table] == [(0, 40 * 64 - 9), (1, 5)]
    assert not found.segments[1, :4].any()


def test_detections_scale_with_the_image() -> None:
    found = detections(([2, 4, 6, 8], 0.9, 0)).scaled(2.0, 0.5)
    assert found.boxes.tolist() == [[4, 2, 12, 4]]


def test_what_does_not_belong_together_is_refused() -> None:
    good = detections(([0, 0, 20, 20], 0.7, 1))
    with pytest.raises(InputError, match="expected 1 boxes"):
        Detections(good.boxes, good.scores, good.classes, good.masks[0])
    with pytest.raises(InputError, match="of 0 to 3, found .* of 4 to 4"):
        combine(good, ROAD * 4, STUFFS, CombinationSettings())
    with pytest.raises(InputError, match="of 0 to 3"):
        combine(good, ROAD[0], STUFFS, CombinationSettings())
