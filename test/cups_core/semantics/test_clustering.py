from __future__ import annotations

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.semantics.clustering import ClusteringSettings, cluster_codes


def bundles(classes: int, each: int, dimension: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Codes of any length around random directions, and whose bundle each belongs to."""
    random = np.random.default_rng(5)
    directions = np.linalg.qr(random.standard_normal((dimension, dimension)))[0][:classes]
    owner = np.repeat(np.arange(classes), each)
    codes = directions[owner] + 0.05 * random.standard_normal((len(owner), dimension))
    return (codes * random.uniform(0.1, 10, (len(codes), 1))).astype(np.float32), owner


def test_bundles_of_directions_are_found_whatever_the_codes_lengths() -> None:
    codes, owner = bundles(6, 50)
    found = cluster_codes(codes, ClusteringSettings(classes=6))
    nearest = np.argmax(codes @ found.centroids.T, axis=1)
    for bundle in range(6):
        assert len(set(nearest[owner == bundle])) == 1
    assert len(set(nearest)) == 6
    assert found.similarity > 0.98


def test_small_bundles_are_not_lost_beside_large_ones() -> None:
    codes, owner = bundles(5, 400)
    kept = np.concatenate([np.flatnonzero(owner != 4), np.flatnonzero(owner == 4)[:5]])
    found = cluster_codes(codes[kept], ClusteringSettings(classes=5))
    nearest = np.argmax(codes @ found.centroids.T, axis=1)
    assert len(set(nearest[owner == 4])) == 1
    assert set(nearest[owner == 4]).isdisjoint(nearest[owner != 4])


def test_the_same_seed_gives_the_same_centroids_and_another_may_not() -> None:
    codes = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    chosen = ClusteringSettings(classes=20, seed=3, restarts=2)
    first, second = (cluster_codes(codes, chosen) for _ in range(2))
    np.testing.assert_array_equal(first.centroids, second.centroids)
    other = cluster_codes(codes, ClusteringSettings(classes=20, seed=4, restarts=2))
    assert not np.array_equal(first.centroids, other.centroids)


def test_no_centroid_is_left_empty_or_zero_when_codes_coincide() -> None:
    codes = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    found = cluster_codes(codes, ClusteringSettings(classes=5, restarts=2))
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1.0, atol=1e-6)
    assert found.similarity == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_codes_without_a_direction_are_refused(bad: float) -> None:
    codes = np.ones((40, 3), np.float32)
    codes[7] = bad
    with pytest.raises(InputError, match="1 of 40 codes.*code 7"):
        cluster_codes(codes, ClusteringSettings(classes=2))


def test_fewer_codes_than_classes_are_refused() -> None:
    with pytest.raises(InputError, match="sample more frames"):
        cluster_codes(np.ones((3, 3), np.float32), ClusteringSettings(classes=4))
