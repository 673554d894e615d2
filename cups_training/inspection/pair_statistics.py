"""How the stamps of left and right fit together, and which tolerance pairs them.

`drive_facts` measures each proposed stereo rig with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.stereo_pairing import Pair, Side, StereoPairing

# Upper ends of the histogram's bins; what is above the last one counts too.
BINS_MS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
TOLERANCES_MS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
COVERED_PERCENT = 99.5
WAITING_IMAGES = 30

Stamps = NDArray[np.int64]


@dataclass(frozen=True)
class PairStatistics:
    """The differences between each image's stamp and the nearest one of the other camera.

    Attributes:
        left: number of left images.
        right: number of right images.
        exact_share: share of the images of the camera with fewer ones that have a partner of
            equal stamp.
        median_ms: of the differences.
        p95_ms: of the differences.
        offset_ms: median of right minus left, signed: a steady one comes from the drivers.
        histogram: number of images in each bin of `BINS_MS`, and above.
        tolerance_ms: the smallest of `TOLERANCES_MS` that pairs what belongs together; None where
            left and right never come near each other.
        pairs: so many pairs `cups extract` makes with it.
    """

    left: int
    right: int
    exact_share: float
    median_ms: float
    p95_ms: float
    offset_ms: float
    histogram: tuple[int, ...]
    tolerance_ms: float | None
    pairs: int

    @property
    def paired_share(self) -> float:
        """Share of the images of the camera with fewer ones that become part of a pair."""
        return self.pairs / max(1, min(self.left, self.right))


def pair_statistics(arrivals: Sequence[tuple[Side, int]]) -> PairStatistics:
    """Measure how two cameras fit together.

    Args:
        arrivals: camera and stamp of each image, in the order of recording, both with images.
    """
    left, right = (
        np.unique(np.array([stamp for side, stamp in arrivals if side is wanted], np.int64))
        for wanted in Side
    )
    fewer, other, sign = (left, right, 1) if len(left) <= len(right) else (right, left, -1)
    signed = _to_nearest(fewer, other)
    distances = np.abs(signed)
    # What is further away than half a period belongs to another frame.
    period = min(
        (int(np.median(np.diff(side))) for side in (left, right) if len(side) > 1), default=0
    )
    near = distances[distances < period / 2] if period else distances
    tolerance_ms = _tolerance_ms(near, period)
    bins = np.searchsorted(np.array(BINS_MS) * 1e6, distances, side="left")
    counts = [sum(side is wanted for side, _ in arrivals) for wanted in Side]
    return PairStatistics(
        left=counts[Side.LEFT],
        right=counts[Side.RIGHT],
        exact_share=float(np.mean(distances == 0)),
        median_ms=float(np.median(distances)) / 1e6,
        p95_ms=float(np.percentile(distances, 95)) / 1e6,
        offset_ms=sign * float(np.median(signed)) / 1e6,
        histogram=tuple(np.bincount(bins, minlength=len(BINS_MS) + 1).tolist()),
        tolerance_ms=tolerance_ms,
        pairs=0 if tolerance_ms is None else len(paired(arrivals, tolerance_ms)),
    )


def paired(arrivals: Sequence[tuple[Side, int]], tolerance_ms: float) -> list[Pair[None]]:
    """The pairs that extraction makes of these arrivals."""
    pairing: StereoPairing[None] = StereoPairing(round(tolerance_ms * 1e6), WAITING_IMAGES)
    pairs = [pair for side, stamp in arrivals for pair in pairing.add(side, stamp, None)]
    return pairs + pairing.flush()


def _to_nearest(stamps: Stamps, others: Stamps) -> Stamps:
    """Other minus own stamp of the nearest other one, for each."""
    after = np.searchsorted(others, stamps).clip(max=len(others) - 1)
    before = (after - 1).clip(min=0)
    to_after, to_before = others[after] - stamps, others[before] - stamps
    return np.where(np.abs(to_before) <= np.abs(to_after), to_before, to_after)


def _tolerance_ms(near: Stamps, period: int) -> float | None:
    if not len(near):
        return None
    needed = float(np.percentile(near, COVERED_PERCENT, method="higher")) / 1e6
    fitting = [step for step in TOLERANCES_MS if step >= needed]
    # Above half a period, neighbours would be taken for partners.
    limit = period / 2e6 if period else TOLERANCES_MS[-1]
    return fitting[0] if fitting and fitting[0] <= limit else round(min(limit, needed), 3)
