"""The folder of built engines: which one fits a model on this machine, and why the others do not.

The TensorRT backend and `cups engine` use it. An engine that does not fit is named, never run.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cups_core.runtime.sidecar import ModelSidecar
from cups_core.runtime.tensorrt_engine_file import (
    SUFFIX,
    EngineFileError,
    EngineKey,
    read_engine,
    read_key,
)

Tell = Callable[[str], None]
POLL_S = 0.2
TELL_EVERY_S = 10.0


def engine_key(sidecar: ModelSidecar, gpu: str, capability: str, tensorrt: str) -> EngineKey:
    """What an engine of a model has to be built of and for."""
    place = sidecar.input
    return EngineKey(
        model_sha256=sidecar.sha256,
        gpu=gpu,
        compute_capability=capability,
        tensorrt=tensorrt,
        precision=sidecar.precision,
        shape=f"1x3x{place.height}x{place.width}",
    )


def default_folder() -> Path:
    """Where engines lie unless a folder is given: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "cups" / "engines"


class EngineCache:
    """The engines of one folder.

    Args:
        folder: it is made when the first engine is built; None = that of the user.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def path(self, model: Path, key: EngineKey) -> Path:
        """Where the engine of a model for a key belongs."""
        return self.folder / f"{model.stem}-{key.digest}{SUFFIX}"

    def find(self, model: Path, key: EngineKey) -> bytes | None:
        """The engine that was built for the key; None = nothing is where it belongs.

        Raises:
            EngineFileError: what is there is damaged, or was built for another key.
        """
        path = self.path(model, key)
        if not path.exists():
            return None
        found, plan = read_engine(path)
        if found != key:
            raise EngineFileError(f"{path}: {'; '.join(found.differences(key))}")
        return plan

    def others(self, model: Path, key: EngineKey) -> tuple[str, ...]:
        """Engines of the same model, or of one with its name, and what differs in each.

        Those with the fewest differences come first.
        """
        found = []
        own = self.path(model, key)
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path == own:
                continue
            try:
                other = read_key(path)
            except EngineFileError as problem:
                if path.name.startswith(f"{model.stem}-"):
                    found.append((len(key.__dict__), str(problem)))
                continue
            if other.model_sha256 == key.model_sha256 or path.name == (
                f"{model.stem}-{other.digest}{SUFFIX}"
            ):
                differences = other.differences(key)
                found.append((len(differences), f"{path}: {'; '.join(differences)}"))
        return tuple(words for _, words in sorted(found))

    @contextmanager
    def lock(self, path: Path, timeout_s: float, tell: Tell) -> Iterator[None]:
        """Hold the right to build one engine; it is given back even if the process is killed.

        Raises:
            EngineFileError: another process held it all the time, or the folder cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.with_suffix(".lock").open("a")
        except OSError as problem:
            raise EngineFileError(
                f"{path.parent}: cannot be written ({problem.strerror}): give another folder"
            ) from problem
        with file:
            _acquire(file.fileno(), path, timeout_s, tell)
            yield


def _acquire(descriptor: int, path: Path, timeout_s: float, tell: Tell) -> None:
    start = told = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now - start >= timeout_s:
                raise EngineFileError(
                    f"{path}: another process has been building it for {timeout_s:.0f} s: wait for "
                    "it, or end it"
                ) from None
            if told == start or now - told >= TELL_EVERY_S:
                tell(f"another process builds {path.name}, waiting for it ({now - start:.0f} s)")
                told = now
            time.sleep(POLL_S)
        else:
            return
