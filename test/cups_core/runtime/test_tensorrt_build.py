"""A build in its own process: what it says, and what becomes of one that hangs, dies or cannot."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cups_core.errors import ModelError
from cups_core.runtime import tensorrt_build
from cups_core.runtime.sidecar import read_sidecar, sidecar_path
from cups_core.runtime.tensorrt_build import (
    BuildFailed,
    BuildLimits,
    BuildOutOfMemory,
    BuildTimedOut,
    build_engine,
)
from cups_core.runtime.tensorrt_cache import EngineCache, engine_key
from cups_core.runtime.tensorrt_engine_file import EngineKey

from .small_graphs import write_cascade
from .stand_in_machine import StandInMachine


def key_of(model: Path, machine: StandInMachine) -> EngineKey:
    driver = machine.driver
    sidecar = read_sidecar(sidecar_path(model))
    return engine_key(sidecar, driver.gpu, driver.capability, machine.tensorrt.__version__)


def build(
    model: Path, machine: StandInMachine, limits: BuildLimits | None = None
) -> tuple[bytes, list[str]]:
    said: list[str] = []
    cache = EngineCache(model.parent / "engines")
    plan = build_engine(model, key_of(model, machine), cache, limits or BuildLimits(), said.append)
    return plan, said


def left(model: Path) -> list[str]:
    return sorted({path.suffix for path in (model.parent / "engines").iterdir()})


def test_it_says_every_few_seconds_how_far_it_is(
    machine: StandInMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_build, "TELL_EVERY_S", 0.2)
    machine.become(STAND_IN_BUILD_S="1.2")
    model = write_cascade(tmp_path)
    plan, said = build(model, machine)
    assert said[0].startswith("building ")
    assert said[-1].startswith("built in ")
    told = [words for words in said if words.startswith("Timing kernels ")]
    assert len(told) >= 3
    assert "s of at most 3600 s" in told[0]
    assert EngineCache(model.parent / "engines").find(model, key_of(model, machine)) == plan
    assert left(model) == [".engine", ".lock", ".log"]


def test_a_build_that_is_too_slow_is_stopped_and_leaves_nothing(
    machine: StandInMachine, tmp_path: Path
) -> None:
    machine.become(STAND_IN_BUILD_S="60")
    model = write_cascade(tmp_path)
    with pytest.raises(BuildTimedOut, match="not built in 2 s, it was at: .*give it more time"):
        build(model, machine, BuildLimits(timeout_s=2))
    assert left(model) == [".lock", ".log"]


def test_too_little_memory_is_told_as_such(machine: StandInMachine, tmp_path: Path) -> None:
    with pytest.raises(BuildOutOfMemory, match="OutOfMemory"):
        build(write_cascade(tmp_path), machine, BuildLimits(memory_mib=1))


def test_a_build_that_the_system_kills_is_explained(
    machine: StandInMachine, tmp_path: Path
) -> None:
    machine.become(STAND_IN_BUILD_KILLED="1")
    with pytest.raises(BuildOutOfMemory, match="the system killed the build"):
        build(write_cascade(tmp_path), machine)


def test_a_process_that_crashes_shows_its_last_words(
    machine: StandInMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_build, "CHILD", "cups_core.runtime.no_such_module")
    with pytest.raises(BuildFailed, match="ended with code 1; the end of .*no_such_module"):
        build(write_cascade(tmp_path), machine)


def test_a_graph_that_contradicts_its_sidecar_costs_no_build(
    machine: StandInMachine, tmp_path: Path
) -> None:
    machine.become(STAND_IN_BUILD_S="60")
    with pytest.raises(ModelError, match="classes: "):
        build(write_cascade(tmp_path, channels=5), machine)


def test_two_that_want_one_engine_build_it_once(machine: StandInMachine, tmp_path: Path) -> None:
    machine.become(STAND_IN_BUILD_S="0.5")
    model = write_cascade(tmp_path)
    found: list[tuple[bytes, list[str]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(build(model, machine))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0][0] == found[1][0]
    assert sum(words.startswith("building ") for _, said in found for words in said) == 1
