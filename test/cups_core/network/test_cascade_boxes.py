"""Boxes, anchors, suppression and proposals of the cascade."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from cups_core.errors import InputError  # noqa: E402
from cups_core.network.cascade.anchors import anchors_of  # noqa: E402
from cups_core.network.cascade.boxes import clipped, decoded, encoded, overlap  # noqa: E402
from cups_core.network.cascade.image_batch import ImageBatch  # noqa: E402
from cups_core.network.cascade.region_proposals import (  # noqa: E402
    AnchorPredictions,
    ProposalCounts,
    propose,
)
from cups_core.network.cascade.suppression import suppressed  # noqa: E402

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
# Left, top, width, height on a grid of quarter pixels: overlaps are exact.
PLACES = arrays(np.int64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 40))


def boxes_of(places: NDArray[np.int64]) -> torch.Tensor:
    corner, extent = places[:, :2] / 4, (places[:, 2:] + 1) / 4
    return torch.from_numpy(np.concatenate([corner, corner + extent], 1).astype(np.float32))


@settings(max_examples=50, deadline=None)
@given(PLACES, PLACES)
def test_a_box_changed_by_its_encoding_is_the_target(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> None:
    count = min(len(first), len(second))
    boxes, targets = boxes_of(first[:count]), boxes_of(second[:count])
    found = decoded(boxes, encoded(boxes, targets, WEIGHTS), WEIGHTS)
    torch.testing.assert_close(found, targets, atol=1e-4, rtol=1e-5)


def test_a_box_grows_sixty_fold_at_most() -> None:
    box = torch.tensor([[10.0, 10.0, 26.0, 26.0]])
    found = decoded(box, torch.tensor([[0.0, 0.0, 1e6, 1e6]]), WEIGHTS)
    torch.testing.assert_close(found[:, 2:] - found[:, :2], torch.full((1, 2), 1000.0))


@settings(max_examples=50, deadline=None)
@given(PLACES, PLACES)
def test_overlap_is_that_of_the_pixels(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    def painted(place: NDArray[np.int64]) -> NDArray[np.bool_]:
        canvas = np.zeros((90, 90), bool)
        left, top, width, height = place
        canvas[top : top + height + 1, left : left + width + 1] = True
        return canvas

    found = overlap(boxes_of(first), boxes_of(second)).numpy()
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            a, b = painted(one), painted(other)
            assert found[i, j] == pytest.approx((a & b).sum() / (a | b).sum(), abs=1e-6)


@settings(max_examples=60, deadline=None)
# Limits that no ratio of small areas meets, where rounding would decide.
@given(PLACES, st.integers(0, 1000), st.sampled_from([0.20031, 0.50031, 0.65031]))
def test_what_stays_is_what_no_better_box_of_its_group_covers(
    places: NDArray[np.int64], seed: int, threshold: float
) -> None:
    boxes = boxes_of(places)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 5, (len(boxes),), generator=generator).float()
    groups = torch.randint(0, 2, (len(boxes),), generator=generator)
    kept = suppressed(boxes, scores, groups, threshold).tolist()
    order = sorted(range(len(boxes)), key=lambda i: -scores[i])
    expected: list[int] = []
    overlaps = overlap(boxes, boxes)
    for i in order:
        rivals = [k for k in expected if groups[k] == groups[i]]
        if not any(overlaps[i, k] > threshold for k in rivals):
            expected.append(i)
    assert kept == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_suppresses_the_same() -> None:
    generator = torch.Generator().manual_seed(8)
    corner = 300 * torch.rand(2000, 2, generator=generator)
    boxes = torch.cat([corner, corner + 5 + 60 * torch.rand(2000, 2, generator=generator)], 1)
    scores = torch.rand(2000, generator=generator)
    groups = torch.randint(0, 5, (2000,), generator=generator)
    found = suppressed(boxes.cuda(), scores.cuda(), groups.cuda(), 0.65)
    assert set(found.tolist()) == set(suppressed(boxes, scores, groups, 0.65).tolist())


def test_anchors_lie_around_the_corners_of_the_cells() -> None:
    features = [torch.zeros(1, 1, 32 >> k, 64 >> k) for k in range(5)]
    anchors = anchors_of(features)
    assert [len(level) for level in anchors] == [32 * 64 * 3 // 4**k for k in range(5)]
    # Three shapes of one area around the origin, twice as wide first, not rounded.
    wide = 32 / 2**0.5
    torch.testing.assert_close(
        anchors[0][:3],
        torch.tensor(
            [
                [-wide, -wide / 2, wide, wide / 2],
                [-16.0, -16.0, 16.0, 16.0],
                [-wide / 2, -wide, wide / 2, wide],
            ]
        ),
    )
    # By row, then column: the second row of level 3 comes after 32 cells of 8 px.
    torch.testing.assert_close(
        anchors[1][32 * 3 + 1], torch.tensor([-32.0, 8 - 32.0, 32.0, 8 + 32.0])
    )


def test_proposals_lie_in_the_image_best_first_and_empty_ones_are_gone() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 11], [-9, -9, 20, 20], [50, 50, 60, 60]])
    said = AnchorPredictions(
        anchors, torch.tensor([[1.0, 3.0, 2.0, 9.0]]), torch.zeros(1, 4, 4), (3, 1)
    )
    (found,) = propose(said, [(40, 40)], ProposalCounts(3, 2))
    # The last lies outside, the first under the second; the third reaches to the border.
    assert found.boxes.tolist() == [[0, 0, 10, 11], [0, 0, 20, 20]]
    assert found.logits.tolist() == [3, 2]
    (one,) = propose(said, [(40, 40)], ProposalCounts(3, 1))
    assert one.boxes.tolist() == [[0, 0, 10, 11]]


def test_boxes_are_clipped_to_height_and_width() -> None:
    found = clipped(torch.tensor([[-1.0, -2.0, 30.0, 50.0]]), (20, 40))
    assert found.tolist() == [[0, 0, 30, 20]]


def test_images_are_normalised_and_then_padded_with_zeros() -> None:
    batch = ImageBatch.of([torch.ones(3, 33, 64), torch.zeros(3, 20, 70)])
    assert batch.images.shape == (2, 3, 64, 96)
    assert batch.sizes == ((33, 64), (20, 70))
    assert batch.images[0, :, 32, 63].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)
    assert not batch.images[0, :, 33:].any()
    assert not batch.images[1, :, :, 70:].any()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((3, 32, 32), 255.0), "image 0: expected values from 0 to 1, found 255.*divide"),
        (torch.full((3, 32, 32), float("nan")), "found nan"),
        (torch.zeros(1, 32, 32), "expected floating-point RGB"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8), "expected floating-point RGB"),
    ],
    ids=["8 bit", "not a number", "gray", "whole numbers"],
)
def test_images_of_another_kind_are_refused(image: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageBatch.of([image])
