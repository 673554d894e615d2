"""One way of running one model: latency, memory and outputs; `benchmark.inference` starts it.

A process of its own, so that peak memory and threads are those of this way alone. The last line is
JSON: the figures, or why it cannot run here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from cups_core.network.export.comparison import outputs_of, tensor_of
from cups_core.runtime.backend import BackendUnavailable, RuntimeSettings
from cups_core.runtime.backend_choice import CANDIDATES
from cups_core.runtime.weights import describe

REASON, OUTPUTS = "reason", "outputs"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", help="title of a candidate of cups_core.runtime.backend_choice")
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, help=".npz with RGB images")
    parser.add_argument("--precision", default="float32", help="that a processor computes in")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--outputs", type=Path, help=".npz for what the model says of the images")
    chosen = parser.parse_args()
    try:
        print(json.dumps(_measured(chosen)))
    except BackendUnavailable as problem:
        print(json.dumps({REASON: str(problem)}))


def _measured(chosen: argparse.Namespace) -> dict[str, Any]:
    sidecar = describe(chosen.model)
    settings = RuntimeSettings(threads=chosen.threads, processor_precision=chosen.precision)
    candidate = next(item for item in CANDIDATES if item.title == chosen.runtime)
    backend = candidate.open(chosen.model, sidecar, settings)
    with np.load(chosen.images) as file:
        images = [file[name] for name in file.files]
    tensor = tensor_of(images[0], sidecar.input)
    times_s = []
    for _ in range(1 + chosen.rounds):
        start = time.perf_counter()
        backend.run(tensor)
        times_s.append(time.perf_counter() - start)
    peak_gb = _peak_gb()
    if chosen.outputs:
        found = outputs_of(backend, sidecar.input, images)
        np.savez(
            chosen.outputs,
            **{f"{i}_{name}": one[name] for i, one in enumerate(found) for name in one},
        )
    return {
        "first": times_s[0],
        "best": min(times_s[1:]),
        "p50": float(np.percentile(times_s[1:], 50)),
        "p99": float(np.percentile(times_s[1:], 99)),
        "peak_gb": peak_gb,
        "description": backend.description,
    }


def _peak_gb() -> float:
    """Of this process alone: what `getrusage` says begins with the peak of whoever started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1e6


if __name__ == "__main__":
    main()
