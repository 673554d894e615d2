"""Scale of a noise from deviations of which the large ones were cut off.

Rigid-motion clustering takes from it what flow and disparity are worth where things move.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Share of the noise's variance that truncation leaves: tried in this many steps, and met to this
# accuracy.
STEPS = 100
SMALLEST_RATIO = 0.1
ACCURACY = 0.01


def truncated_noise_scale(deviations: NDArray[np.floating], largest: float) -> NDArray[np.float64]:
    """Standard deviation of the noise of each component, from those deviations that are small.

    Errors that are no noise (mismatches, occlusions) are far out: vectors longer than `largest`
    are left out. That also takes the noise's own tail away; by how much, follows from the ratio r
    of the truncated to the whole standard deviation, the largest with
    1 - 2 / sqrt(pi) a r exp(-(a r)^2) / erf(a r) = r^2 for a = largest / (sqrt(2) s), where s is
    what was measured.

    Args:
        deviations: (N, C), pixels, NaN where unknown.
        largest: pixels.

    Returns:
        float64 (C,), pixels; infinite where less than a tenth of the deviations is small.
    """
    known = deviations[np.isfinite(deviations).all(1)].astype(np.float64)
    small = known[np.linalg.norm(known, axis=1) < largest]
    if len(small) == 0 or len(small) < 0.1 * len(deviations):
        return np.full(deviations.shape[1], np.inf)
    measured = np.sqrt((small**2).mean(0))
    ratio = np.linspace(SMALLEST_RATIO, 1.0, STEPS)
    scales = np.empty(len(measured))
    for index, value in enumerate(measured):
        a = largest / (max(value, 1e-9) * math.sqrt(2.0)) * ratio
        erf = np.array([math.erf(x) for x in a])
        kept = 1.0 - 2.0 / math.sqrt(math.pi) * a * np.exp(-(a**2)) / erf
        met = ratio[np.abs(kept - ratio**2) < ACCURACY]
        scales[index] = value / (met.max() if len(met) else SMALLEST_RATIO)
    return scales
