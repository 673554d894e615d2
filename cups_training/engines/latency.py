"""How long an engine takes for an image: the first one, and those after a warm-up.

`cups engine build` prints it. Copies to and from the GPU are counted, resizing and the making of
maps are not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from cups_core.runtime.backend import Backend

WARM_UP_IMAGES, IMAGES = 10, 50


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one image.

    Attributes:
        first_ms: the first image after loading.
        median_ms, p99_ms: of the images after the warm-up.
        images: number of those.
    """

    first_ms: float
    median_ms: float
    p99_ms: float
    images: int


def measure(backend: Backend, shape: tuple[int, ...]) -> Latency:
    """Run images of noise.

    Args:
        backend: ready to run.
        shape: of its input.

    Raises:
        BackendFailed: it cannot run.
    """
    image = np.random.default_rng(0).standard_normal(shape, np.float32)
    times_ms = []
    for _ in range(1 + WARM_UP_IMAGES + IMAGES):
        start_ns = time.perf_counter_ns()
        backend.run(image)
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    steady = times_ms[1 + WARM_UP_IMAGES :]
    return Latency(times_ms[0], float(np.median(steady)), float(np.quantile(steady, 0.99)), IMAGES)
