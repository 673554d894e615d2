"""Do tasks come back from wherever they run, and errors with them?"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest

from cups_training.labelling.executors import (
    WorkerError,
    one_thread,
    run_in_processes,
    run_on_ray,
)
from cups_training.whole_files import FileError, read_json

from .conftest import Label, all_bytes

Run = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


# Workers are fresh interpreters that know nothing of the tests: their tasks are library functions.
def here(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    return run_in_processes(function, tasks, 1)


def elsewhere(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    return run_in_processes(function, tasks, 2)


@pytest.mark.parametrize("run", [here, elsewhere])
def test_every_task_is_done_once(run: Run) -> None:
    assert sorted(run(math.factorial, range(6))) == [1, 1, 2, 6, 24, 120]
    assert list(run(math.factorial, [])) == []


@pytest.mark.parametrize("run", [here, elsewhere])
def test_an_error_of_a_task_comes_back_as_it_was_raised(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good").write_text("{}")
    with pytest.raises(FileError, match=r"missing: cannot be read"):
        list(run(read_json, [tmp_path / "good", tmp_path / "missing", tmp_path / "good"]))


@pytest.mark.parametrize("run", [here, elsewhere])
def test_a_task_runs_on_one_thread(run: Run) -> None:
    questions = [
        "__import__('cv2').getNumThreads()",
        "__import__('numba').get_num_threads()",
        "max(p['num_threads'] for p in __import__('threadpoolctl').threadpool_info())",
    ]
    assert set(run(eval, questions)) == {1}


def test_the_threads_of_the_caller_come_back() -> None:
    before = cv2.getNumThreads()
    with one_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def test_a_worker_that_dies_is_said() -> None:
    with pytest.raises(WorkerError, match="goes on where it stopped"):
        list(elsewhere(os._exit, [3, 3]))


def test_ray_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WorkerError, match=r"cups-ros\[cluster\]"):
        list(run_on_ray(math.factorial, [1]))


def test_ray_labels_the_same_bytes_and_hands_errors_back(
    dataset: Path, labelled: Path, label: Label
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is the cluster extra")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        (dataset / "labels/fast").mkdir(parents=True)
        (dataset / "labels/fast/pairs").write_text("in the way")
        code, said = label(dataset, "--executor", "ray")
        assert code == 1
        assert "cannot be written" in said["error"]
        shutil.rmtree(dataset / "labels")
        assert label(dataset, "--executor", "ray")[0] == 0
    finally:
        ray.shutdown()
    assert all_bytes(dataset) == all_bytes(labelled)
