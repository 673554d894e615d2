"""Builds an engine in a process of its own, with a time-out, and says every few seconds how far.

The TensorRT backend and `cups engine build` call it. A build that hangs, crashes or takes all
memory takes nothing with it; what it said in full lies in a log beside the engine.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cups_core.errors import CupsError, ModelError
from cups_core.runtime.tensorrt_cache import EngineCache, Tell
from cups_core.runtime.tensorrt_engine_file import EngineFileError, EngineKey, read_engine

CHILD = "cups_core.runtime.tensorrt_build_process"
TELL_EVERY_S = 5.0
TIMEOUT_S = 3600.0
LAST_WORDS = 400


class BuildFailed(CupsError):
    """The engine cannot be built; the message says why."""


class BuildTimedOut(BuildFailed):
    """The build took longer than it may."""


class BuildOutOfMemory(BuildFailed):
    """The build needs more memory than there is or than it may take."""


@dataclass(frozen=True)
class BuildLimits:
    """What a build may take.

    Attributes:
        memory_mib: GPU memory for scratch and for trying kernels, MiB; 0 = no limit.
        timeout_s: seconds, waiting for another build of the same engine included.
    """

    memory_mib: int = 0
    timeout_s: float = TIMEOUT_S


def build_engine(
    model: Path, key: EngineKey, cache: EngineCache, limits: BuildLimits, tell: Tell
) -> bytes:
    """Build an engine into the cache, unless another process just did.

    Args:
        model: ONNX file with its sidecar beside it.
        key: of this machine and the model.
        cache: where the engine goes.
        limits: time and memory.
        tell: is given lines of progress, one every few seconds at least.

    Returns:
        The engine.

    Raises:
        BuildTimedOut: too slow.
        BuildOutOfMemory: too large.
        BuildFailed: TensorRT cannot build it.
        ModelError: the graph contradicts its sidecar.
        EngineFileError: the cache cannot be written.
    """
    path = cache.path(model, key)
    end = time.monotonic() + limits.timeout_s
    with cache.lock(path, limits.timeout_s, tell):
        try:
            found = cache.find(model, key)
        except EngineFileError as problem:
            tell(f"{problem}: building it again")
            found = None
        if found is not None:
            return found
        draft, log = path.with_suffix(".draft"), path.with_suffix(".log")
        tell(f"building {path} (log: {log})")
        try:
            _run(model, draft, log, limits, end, tell)
            built, plan = read_engine(draft)
            if built != key:
                raise BuildFailed(f"{path}: {'; '.join(built.differences(key))}: start again")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return plan


def _run(model: Path, draft: Path, log: Path, limits: BuildLimits, end: float, tell: Tell) -> None:
    """Run the building process until it is done or out of time."""
    command = [sys.executable, "-m", CHILD, str(model), str(draft), str(limits.memory_mib)]
    start = time.monotonic()
    where, report = "starting", {}
    with (
        log.open("wb") as words,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words
        ) as process,
    ):
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True)
        reader.start()
        told = start
        try:
            while True:
                now = time.monotonic()
                if now >= end:
                    raise BuildTimedOut(
                        f"{model}: the engine was not built in {limits.timeout_s:.0f} s, it was "
                        f"at: {where}; give it more time, or an export with fewer pixels"
                    )
                if now - told >= TELL_EVERY_S:
                    tell(f"{where}, {now - start:.0f} s of at most {limits.timeout_s:.0f} s")
                    told = now
                try:
                    line = lines.get(timeout=min(end, told + TELL_EVERY_S) - now)
                except queue.Empty:
                    continue
                if line is None:
                    break
                report = json.loads(line)
                if "phase" in report:
                    where = f"{report['phase']} {report['percent']:.0f} %"
            code = process.wait()
        finally:
            # On a time-out, and when the user stops it.
            process.kill()
    _explain(model, log, code, report)
    tell(f"built in {time.monotonic() - start:.0f} s")


def _pass_on(stream: IO[bytes] | None, lines: queue.Queue[str | None]) -> None:
    """Lines of the process; None at its end."""
    for line in stream or ():
        lines.put(line.decode())
    lines.put(None)


def _explain(model: Path, log: Path, code: int, report: dict[str, str]) -> None:
    """Complain unless the process ended well."""
    if code == 0:
        return
    if "error" in report:
        errors = {"model": ModelError, "memory": BuildOutOfMemory}
        raise errors.get(report["kind"], BuildFailed)(report["error"])
    if code == -signal.SIGKILL:
        raise BuildOutOfMemory(
            f"{model}: the system killed the build, most likely for want of memory: give it a "
            "memory limit, or close other programs"
        )
    last = log.read_text(errors="replace")[-LAST_WORDS:].strip()
    raise BuildFailed(f"{model}: the build ended with code {code}; the end of {log}: {last}")
