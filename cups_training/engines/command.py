"""`cups engine build` and `cups engine inspect`: TensorRT engines ahead of the drive.

The command line hands over to it. Exit codes: 0 done; 1 failed, or the file is damaged; 2 wrong
usage; 3 TensorRT, the GPU or an engine for it is missing; 4 out of time; 5 out of memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from cups_core.errors import CupsError
from cups_core.runtime.backend import BackendUnavailable, RuntimeSettings
from cups_core.runtime.sidecar import ModelSidecar
from cups_core.runtime.tensorrt_backend import machine, open_on_gpu
from cups_core.runtime.tensorrt_build import (
    TIMEOUT_S,
    BuildLimits,
    BuildOutOfMemory,
    BuildTimedOut,
    build_engine,
)
from cups_core.runtime.tensorrt_cache import EngineCache, default_folder, engine_key
from cups_core.runtime.tensorrt_engine_file import (
    WORDS,
    EngineFileError,
    EngineKey,
    read_engine,
)
from cups_core.runtime.weights import GRAPH, describe
from cups_training.engines.latency import measure

DONE, FAILED, NOT_HERE, OUT_OF_TIME, OUT_OF_MEMORY = 0, 1, 3, 4, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    build = actions.add_parser("build", help="build the engine of a model for this machine's GPU")
    build.add_argument("model", type=Path, help="an .onnx file with its sidecar beside it")
    build.add_argument(
        "--memory-limit-mib",
        type=_not_negative,
        default=0,
        metavar="N",
        help="GPU memory that the build may take for scratch, MiB; 0 = no limit",
    )
    build.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_S,
        metavar="S",
        help="seconds that the build may take (default: %(default).0f)",
    )
    inspect = actions.add_parser(
        "inspect", help="say what an engine was built for, or which engine a model has here"
    )
    inspect.add_argument("file", type=Path, help="an .engine file or an .onnx file")
    for action in (build, inspect):
        action.add_argument(
            "--cache", type=Path, metavar="DIR", help=f"folder of engines ({default_folder()})"
        )
        action.add_argument("--json", action="store_true", help="machine-readable output")


def run(chosen: argparse.Namespace) -> int:
    """Build or inspect; the codes are those of the module."""
    try:
        return _build(chosen) if chosen.action == "build" else _inspect(chosen)
    except (BackendUnavailable, BuildTimedOut, BuildOutOfMemory) as problem:
        print(f"cups engine {chosen.action}: {problem}", file=sys.stderr)
        if isinstance(problem, BackendUnavailable):
            return NOT_HERE
        return OUT_OF_TIME if isinstance(problem, BuildTimedOut) else OUT_OF_MEMORY


def _build(chosen: argparse.Namespace) -> int:
    sidecar = _described(chosen.model)
    cache = EngineCache(chosen.cache)
    key = _key_here(sidecar)
    for unfit in cache.others(chosen.model, key):
        _tell(f"does not fit here: {unfit}")
    limits = BuildLimits(chosen.memory_limit_mib, chosen.timeout)
    build_engine(chosen.model, key, cache, limits, _tell)
    engine = open_on_gpu(
        chosen.model, sidecar, RuntimeSettings(backend="tensorrt", engine_folder=str(cache.folder))
    )
    try:
        latency = measure(engine, (1, 3, sidecar.input.height, sidecar.input.width))
    finally:
        engine.close()
    path = cache.path(chosen.model, key)
    if chosen.json:
        found = {"engine": str(path), "runs_on": engine.description, **asdict(key)}
        print(json.dumps(found | asdict(latency), indent=1))
    else:
        print(
            f"{path}\n{_as_text(key)}\n  runs on             {engine.description}\n"
            f"  first image         {latency.first_ms:.1f} ms\n"
            f"  then                {latency.median_ms:.1f} ms, 99 % within "
            f"{latency.p99_ms:.1f} ms ({latency.images} images)"
        )
    return DONE


def _inspect(chosen: argparse.Namespace) -> int:
    if chosen.file.suffix == GRAPH:
        return _inspect_model(chosen)
    key, plan = read_engine(chosen.file)
    try:
        library, device = machine()
    except BackendUnavailable as problem:
        unfit: tuple[str, ...] = (str(problem),)
    else:
        # An engine file does not know where its model lies: only the machine can be compared.
        wanted = {
            "gpu": device.name,
            "compute_capability": device.compute_capability,
            "tensorrt": library.version,
        }
        unfit = key.differences(EngineKey(**asdict(key) | wanted))
    if chosen.json:
        found = {"engine": str(chosen.file), "bytes": len(plan), "unfit": unfit}
        print(json.dumps(found | asdict(key), indent=1))
    else:
        print(f"{chosen.file}: whole, {len(plan) / 1e6:.1f} MB\n{_as_text(key)}")
        print("  does not run here   " + "; ".join(unfit) if unfit else "  fits this machine")
    return NOT_HERE if unfit else DONE


def _inspect_model(chosen: argparse.Namespace) -> int:
    cache, sidecar = EngineCache(chosen.cache), _described(chosen.file)
    key = _key_here(sidecar)
    try:
        fits = cache.find(chosen.file, key) is not None
        unfit = cache.others(chosen.file, key)
    except EngineFileError as problem:
        fits, unfit = False, (str(problem),)
    path = cache.path(chosen.file, key)
    if chosen.json:
        found = {"engine": str(path) if fits else None, "unfit": unfit, **asdict(key)}
        print(json.dumps(found, indent=1))
    else:
        here = path if fits else f"none; cups engine build {chosen.file}"
        print(f"{chosen.file}\n{_as_text(key)}\n  engine              {here}")
        for words in unfit:
            print(f"  does not fit        {words}")
    return DONE if fits else NOT_HERE


def _described(model: Path) -> ModelSidecar:
    if model.suffix != GRAPH:
        raise CupsError(f"{model}: expected an exported model, a name that ends with {GRAPH}")
    return describe(model)


def _key_here(sidecar: ModelSidecar) -> EngineKey:
    library, device = machine()
    return engine_key(sidecar, device.name, device.compute_capability, library.version)


def _as_text(key: EngineKey) -> str:
    return "\n".join(f"  {WORDS[name]:19} {value}" for name, value in asdict(key).items())


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, found {value}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected more than 0, found {text}")
    return value
