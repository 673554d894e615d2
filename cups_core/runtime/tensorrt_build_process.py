"""The process that builds one engine and reports on standard output, one JSON object a line.

`tensorrt_build` starts it and reads its lines; TensorRT's own words go to standard error.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cups_core.errors import CupsError, ModelError
from cups_core.runtime.backend import BackendUnavailable
from cups_core.runtime.graph_check import check_graph
from cups_core.runtime.sidecar import read_sidecar, sidecar_path
from cups_core.runtime.tensorrt_api import TensorRT, TensorRTOutOfMemory
from cups_core.runtime.tensorrt_cache import engine_key
from cups_core.runtime.tensorrt_cuda import CudaError, OutOfGpuMemory, gpu
from cups_core.runtime.tensorrt_engine_file import write_engine
from cups_core.runtime.tensorrt_progress import BuildProgress

FULL_PRECISION = "fp32"


def main(arguments: Sequence[str]) -> int:
    """Build `model` into `file` with a memory limit in MiB; 0 = done."""
    model, file, memory_limit_mib = arguments
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        build(Path(model), Path(file), int(memory_limit_mib))
    except ModelError as problem:
        return _refuse("model", problem)
    except (TensorRTOutOfMemory, OutOfGpuMemory) as problem:
        return _refuse("memory", problem)
    except (CudaError, BackendUnavailable) as problem:
        return _refuse("machine", problem)
    except CupsError as problem:
        return _refuse("build", problem)
    return 0


def build(model: Path, file: Path, memory_limit_mib: int) -> None:
    """Parse, check and build a model for the GPU of this process.

    Raises:
        CupsError: of any kind; nothing is written then.
    """
    sidecar = read_sidecar(sidecar_path(model))
    device, library = gpu(), TensorRT()
    progress = BuildProgress(_report)
    _report("reading the graph", 0)
    graph = library.read_graph(model)
    # Before the minutes are spent.
    check_graph(sidecar, graph.tensors.inputs, graph.tensors.outputs)
    plan = graph.build(progress, memory_limit_mib, keep_float32=sidecar.precision == FULL_PRECISION)
    _report("writing the engine", 100)
    key = engine_key(sidecar, device.name, device.compute_capability, library.version)
    write_engine(file, key, plan)


def _report(phase: str, percent: float) -> None:
    # When nobody reads any more this raises, and TensorRT stops the build.
    _write({"phase": phase, "percent": round(percent, 1)})


def _refuse(kind: str, problem: CupsError) -> int:
    _write({"kind": kind, "error": str(problem)})
    return 1


def _write(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
