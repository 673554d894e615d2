"""Do the scores equal what torchmetrics and panopticapi gave for the same maps?"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.parity_metrics import compare

EXACT = {"confusion", "assignment_pq", "assignment_miou", "reference_counts", "official_counts"}
# The golden numbers' own limits: torchmetrics sums in float32, panopticapi in float64.
TOLERANCES = dict.fromkeys(EXACT, 0.0) | {
    "reference_pq": 1e-6,
    "mean_iou": 1e-6,
    "accuracy": 1e-6,
    "official_pq": 1e-12,
    "void_fraction": 1e-12,
}


@pytest.fixture(scope="module")
def differences(repository: Path) -> dict[str, float]:
    return compare(repository / "test/data/goldens/metrics")


def test_every_part_is_compared(differences: dict[str, float]) -> None:
    assert set(differences) == set(TOLERANCES)


@pytest.mark.parametrize("part", sorted(TOLERANCES))
def test_a_part_equals_the_golden_numbers(differences: dict[str, float], part: str) -> None:
    assert differences[part] <= TOLERANCES[part]
