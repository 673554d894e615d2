"""A small dataset of two drives past boards that move, and the command that labels it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cups_training.cli import main
from cups_training.dataset.drive import DriveWriter

from ...cups_core.motion.scenes import DRIVING, RIG, Board, Scene

FRAMES = 10
CROSSING = Board((-3.0, 0.4, 9.5), (2.6, 2.0), (4.0, 0.0, 0.0))
ONCOMING = Board((2.5, 0.3, 24.0), (2.0, 2.2), (0.0, 0.0, -7.0))
SCENES = {
    "bend": Scene(step=DRIVING).plus(CROSSING),
    "waiting": Scene().plus(replace(CROSSING, velocity_mps=(6.0, 0.0, 0.0)), ONCOMING),
}
"""One drive in which the camera drives, one in which it stands."""

# Three clips a drive, of four, four and two frames, that look two frames beyond their ends.
CHANGES = (
    *("clip_frames=4", "margin_frames=2"),
    *("classes=8", "fit_frames=6", "restarts=2", "thing_confidence=0.5"),
)
SMALL_CLIPS = (*(word for change in CHANGES for word in ("--set", change)), "--workers", "1")


@pytest.fixture(scope="session")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, not labelled; tests take a copy."""
    root = tmp_path_factory.mktemp("dataset")
    for name, scene in SCENES.items():
        writer = DriveWriter(root / "drives" / name, RIG)
        frames = [scene.frame(number) for number in range(FRAMES)]
        for frame in frames:
            writer.add(frame)
        writer.finish([frame.stamp_ns for frame in frames])
    return root


@pytest.fixture
def dataset(drives: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that a test may change and label."""
    return Path(shutil.copytree(drives, tmp_path / "dataset"))


@pytest.fixture(scope="session")
def labelled(drives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset with labels, made by one process in one run."""
    root = tmp_path_factory.mktemp("labelled") / "dataset"
    shutil.copytree(drives, root)
    assert main(["label", str(root), *SMALL_CLIPS]) == 0
    return root


Label = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def label(capsys: pytest.CaptureFixture[str]) -> Label:
    """Runs `cups label --json` in this process; exit code and what it printed."""

    def run(root: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["label", str(root), *SMALL_CLIPS, "--json", *arguments])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else {"error": printed.err}

    return run


def all_bytes(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
