"""Suppression of a fixed size against the one that goes through the boxes one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from cups_core.network.cascade.suppression import suppressed  # noqa: E402
from cups_core.network.export.static_suppression import ROUNDS, staying  # noqa: E402

# Left, top, width, height: in so little space most boxes touch.
PLACES = arrays(np.int64, st.tuples(st.integers(1, ROUNDS), st.just(4)), elements=st.integers(0, 9))


def expected(boxes: torch.Tensor, groups: torch.Tensor, threshold: float) -> torch.Tensor:
    scores = torch.linspace(1, 0.1, len(boxes))
    kept = torch.zeros(len(boxes), dtype=torch.bool)
    kept[suppressed(boxes, scores, groups, threshold)] = True
    return kept


@settings(max_examples=80, deadline=None)
@given(PLACES, st.integers(1, 3), st.sampled_from((0.3, 0.5, 0.65)))
def test_the_same_boxes_stay(places: NDArray[np.int64], kinds: int, threshold: float) -> None:
    corner = places[:, :2].astype(np.float32)
    far = corner + places[:, 2:].astype(np.float32) + 1
    boxes = torch.from_numpy(np.concatenate([corner, far], 1))
    groups = torch.arange(len(boxes)) % kinds
    assert torch.equal(staying(boxes, threshold, groups), expected(boxes, groups, threshold))


def test_of_many_crowded_boxes_the_same_stay() -> None:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(1000, 2, generator=generator) * 400
    boxes = torch.cat([corner, corner + 20 + 60 * torch.rand(1000, 2, generator=generator)], 1)
    one_group = torch.zeros(1000, dtype=torch.int64)
    kept = staying(boxes, 0.5)
    assert torch.equal(kept, expected(boxes, one_group, 0.5))
    assert 100 < int(kept.sum()) < 1000


def test_of_a_chain_that_is_too_long_nothing_is_lost() -> None:
    left = torch.arange(3.0 * ROUNDS)
    boxes = torch.stack([left, torch.zeros_like(left), left + 3, torch.ones_like(left)], 1)
    exact = expected(boxes, torch.zeros(len(boxes), dtype=torch.int64), 0.45)
    kept = staying(boxes, 0.45)
    assert kept[exact].all()
    assert torch.equal(kept[:ROUNDS], exact[:ROUNDS])
