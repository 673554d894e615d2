"""Are labels the same to the byte, whoever makes them, in many parts and after an accident?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import SMALL_CLIPS, Label, all_bytes

SCRIPT = "import sys; from cups_training.cli import main; sys.exit(main(sys.argv[1:]))"


def start(repository: Path, root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "label", str(root), *SMALL_CLIPS, *arguments],
        env={**os.environ, "PYTHONPATH": str(repository)},
        start_new_session=True,
    )


def test_a_second_run_changes_nothing(labelled: Path, tmp_path: Path, label: Label) -> None:
    copy = Path(shutil.copytree(labelled, tmp_path / "dataset"))
    before = {path: path.stat().st_mtime_ns for path in (copy / "labels").rglob("*_instance.png")}
    assert label(copy)[0] == 0
    assert all_bytes(copy) == all_bytes(labelled)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_four_shards_in_any_order_give_the_same_bytes(
    dataset: Path, labelled: Path, label: Label
) -> None:
    for number in (3, 1, 4):
        code, said = label(dataset, "--shard", f"{number}/4")
        assert code == 0
        assert said["missing_clips"] > 0
        assert not (dataset / "labels/fast/panoptic.json").exists()
    assert label(dataset, "--shard", "2/4")[0] == 0
    assert all_bytes(dataset) == all_bytes(labelled)


def test_worker_processes_give_the_same_bytes(dataset: Path, labelled: Path, label: Label) -> None:
    assert label(dataset, "--workers", "2")[0] == 0
    assert all_bytes(dataset) == all_bytes(labelled)


@pytest.mark.parametrize("after", ["clips/*/*.json", "pairs/*/*_semantic.png", "panoptic/*/*.png"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    after: str, dataset: Path, labelled: Path, label: Label, repository: Path
) -> None:
    process = start(repository, dataset)
    folder = dataset / "labels/fast"
    deadline = time.monotonic() + 60
    while not list(folder.glob(after)):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "report.html").exists()
    # What a write that was cut off would leave behind.
    (folder / "pairs" / f".draft.png.{process.pid}").write_bytes(b"half")
    assert label(dataset)[0] == 0
    assert all_bytes(dataset) == all_bytes(labelled)


def test_finishing_alone_needs_all_clips(dataset: Path, labelled: Path, label: Label) -> None:
    assert label(dataset, "--shard", "1/2")[0] == 0
    code, said = label(dataset, "--finish")
    assert code == 1
    assert "clips are not labelled yet" in said["error"]
    assert label(dataset, "--shard", "2/2")[0] == 0
    (dataset / "labels/fast/panoptic.json").unlink()
    assert label(dataset, "--finish")[0] == 0
    assert all_bytes(dataset) == all_bytes(labelled)
