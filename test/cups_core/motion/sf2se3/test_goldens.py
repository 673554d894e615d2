"""Do the motion parts give the reference's golden numbers?"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.parity_motion import compare

TOLERANCES = {
    "matrix_nms/gaussian": 1e-6,
    "matrix_nms/linear": 1e-6,
    "matrix_nms/labels": 1e-6,
    "matrix_nms/kept": 0,
    "consistency/error": 1e-4,
    "consistency/mask": 0,
    "consistency/noise_scale": 1e-5,
    "disparity_edges/magnitude": 1e-4,
    "disparity_edges/mask": 25,
    "kabsch/weighted": 5e-5,
    "kabsch/unweighted": 5e-5,
    "ensemble/consistency": 1e-6,
    "ensemble/keep_consistency": 0,
    "ensemble/keep_nms": 0,
    "ensemble/painted": 0,
    "ensemble/after_surface_filter": 0,
}


@pytest.fixture(scope="module")
def differences(repository: Path) -> dict[str, float]:
    return compare(repository / "test/data/goldens/motion")


def test_every_part_is_compared(differences: dict[str, float]) -> None:
    assert differences.keys() == TOLERANCES.keys()


@pytest.mark.parametrize("part", TOLERANCES)
def test_the_golden_numbers_are_met(differences: dict[str, float], part: str) -> None:
    assert differences[part] <= TOLERANCES[part]
