"""A machine with a stand-in GPU and TensorRT, for this process and those that it starts."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cups_core.runtime.tensorrt_cuda import gpu

FOLDER = Path(__file__).parent / "tensorrt_stand_in"
MODULES = ("tensorrt", "cuda_stand_in")


class StandInMachine:
    """What the tests change and look at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
        self._monkeypatch = monkeypatch
        paths = [str(FOLDER), str(repository), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        monkeypatch.syspath_prepend(str(FOLDER))
        self.become()

    def become(self, **environment: str) -> None:
        """Another machine: STAND_IN_TENSORRT, STAND_IN_GPU and so on, as after a restart."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        for name in MODULES:
            sys.modules.pop(name, None)
        gpu.cache_clear()
        self.cuda: ModuleType = importlib.import_module("cuda_stand_in")
        self._monkeypatch.setattr(ctypes, "CDLL", self.cuda.CDLL)
        self.tensorrt: ModuleType = importlib.import_module("tensorrt")

    @property
    def driver(self) -> Any:
        return self.cuda.driver


@contextmanager
def stand_in_machine(
    monkeypatch: pytest.MonkeyPatch, repository: Path, cache: Path
) -> Iterator[StandInMachine]:
    """The machine, with an empty cache of engines; what the test did not give back is an error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    machine = StandInMachine(monkeypatch, repository)
    yield machine
    assert machine.driver.left() == {}
    for name in MODULES:
        sys.modules.pop(name, None)
    gpu.cache_clear()
