"""`cups engine build` and `inspect`: what they print, and their exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cups_training.cli import main

from ...cups_core.runtime.small_graphs import write_cascade
from ...cups_core.runtime.stand_in_machine import StandInMachine


def engine_of(folder: Path) -> Path:
    (path,) = folder.rglob("*.engine")
    return path


def test_build_says_where_the_engine_is_and_how_fast(
    machine: StandInMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_cascade(tmp_path)
    cache = tmp_path / "here"
    assert main(["engine", "build", str(model), "--cache", str(cache), "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["engine"] == str(engine_of(cache))
    assert found["gpu"] == "NVIDIA Stand-in"
    assert found["runs_on"].startswith("TensorRT 10.3.0 on NVIDIA Stand-in")
    assert 0 < found["median_ms"] <= found["p99_ms"]
    assert found["first_ms"] > 0
    assert "built in" in printed.err
    # Once more costs nothing.
    assert main(["engine", "build", str(model), "--cache", str(cache)]) == 0
    printed = capsys.readouterr()
    assert "built in" not in printed.err
    assert "first image" in printed.out


def test_inspect_says_what_an_engine_is_for_and_whether_it_runs_here(
    machine: StandInMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_cascade(tmp_path)
    assert main(["engine", "inspect", str(model)]) == 3
    assert f"none; cups engine build {model}" in capsys.readouterr().out
    assert main(["engine", "build", str(model)]) == 0
    assert main(["engine", "inspect", str(model)]) == 0
    path = engine_of(tmp_path)
    assert main(["engine", "inspect", str(path)]) == 0
    assert "fits this machine" in capsys.readouterr().out
    machine.become(STAND_IN_GPU="Other GPU", STAND_IN_CAPABILITY="9.0")
    assert main(["engine", "inspect", str(path)]) == 3
    assert "GPU: built for NVIDIA Stand-in, here Other GPU" in capsys.readouterr().out
    assert main(["engine", "inspect", str(model), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["engine"] is None
    assert "compute capability: built for 8.7, here 9.0" in found["unfit"][0]


def test_an_engine_can_be_inspected_where_tensorrt_is_not(
    machine: StandInMachine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["engine", "build", str(write_cascade(tmp_path))]) == 0
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert main(["engine", "inspect", str(engine_of(tmp_path)), "--json"]) == 3
    found = json.loads(capsys.readouterr().out.rpartition("\n{")[2].join(["{", ""]))
    assert found["tensorrt"] == "10.3.0"
    assert "pip install tensorrt" in found["unfit"][0]


def test_a_damaged_engine_is_1(
    machine: StandInMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.engine"
    path.write_bytes(b"ptrt of some other tool")
    assert main(["engine", "inspect", str(path)]) == 1
    assert "expected an engine written by `cups engine build`" in capsys.readouterr().err


def test_exit_codes_tell_what_is_lacking(
    machine: StandInMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_cascade(tmp_path)
    assert main(["engine", "build", str(tmp_path / "small.yaml")]) == 1
    assert main(["engine", "build", str(model), "--memory-limit-mib", "1"]) == 5
    assert "OutOfMemory" in capsys.readouterr().err
    machine.become(STAND_IN_BUILD_S="60")
    assert main(["engine", "build", str(model), "--timeout", "1"]) == 4
    assert "give it more time" in capsys.readouterr().err
    machine.become(STAND_IN_GPU="")
    assert main(["engine", "build", str(model)]) == 3
    assert "needs a GPU" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--timeout", "0"], ["--memory-limit-mib", "-1"]])
def test_limits_that_are_none_are_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["engine", "build", "x.onnx", *words])
    assert ended.value.code == 2
