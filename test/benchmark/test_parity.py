"""Does the parity command find golden folders, compare them, and say what it could not compare?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.golden_weights import generator


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmark.parity", *arguments],
        cwd=repository,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_anywhere_is_compared(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = tmp_path / "any name"
    shutil.copytree(repository / "test/data/goldens/raft", folder)
    found = run(repository, "--golden", str(folder), "--json")
    assert found.returncode == 0, found.stderr
    raft = json.loads(found.stdout)["raft"]
    assert raft["max_abs_difference"] == max(raft["parts"].values())
    assert 0 < raft["max_abs_difference"] < 2e-4


def test_weights_of_another_seed_are_not_compared(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shutil.copytree(repository / "test/data/goldens/raft", tmp_path / "raft")
    manifest = tmp_path / "raft/manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 20253', '"seed": 20254'))
    found = run(repository, "--golden", str(tmp_path), "--json")
    assert found.returncode == 1
    reason = json.loads(found.stdout)["raft"]["not_compared"]
    assert "weights of seed 20254: expected SHA-256 b18e03d8" in reason


def test_a_folder_without_golden_numbers_is_an_error(repository: Path, tmp_path: Path) -> None:
    found = run(repository, "--golden", str(tmp_path))
    assert found.returncode == 1
    assert "expected golden numbers (raft.npz" in found.stderr


def test_random_numbers_are_those_of_the_stored_weights(repository: Path) -> None:
    manifest = json.loads((repository / "test/data/goldens/raft/manifest.json").read_text())
    key = "raft.mask_predictor.conv.bias"
    values = generator(manifest["seed"], key).standard_normal(4, dtype="float32")
    expected = manifest["weight_probe"][key]["first4"]
    assert (values * 0.02).tolist() == pytest.approx(expected, rel=1e-6)
