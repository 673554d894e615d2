"""Does the benchmark's command write the masks that its scores are about?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.motion import Bundle
from cups_core.metrics.motion_masks import count_masks


def command(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmark.motion", *map(str, arguments)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_one_bundle_gives_an_id_map_and_its_scores(
    shared: Path, repository: Path, tmp_path: Path
) -> None:
    path, out = shared / "benchmarks/motion/bundles/crossing_10.npz", tmp_path / "ids.png"
    done = command(repository, "--bundle", path, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    instances = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert instances.dtype == np.uint16
    assert instances.shape == Bundle(path).rig.shape
    scores = json.loads(done.stdout)["groups"]["crossing"]
    counts = count_masks(instances, Bundle(path).truth)
    assert (scores["masks"], scores["movers"]) == (counts.masks, counts.movers)
    assert scores["precision"] == pytest.approx(counts.precision, abs=1e-3)
    assert scores["foreground_iou"] == pytest.approx(counts.foreground_iou, abs=1e-3)


def test_a_folder_without_bundles_is_said(repository: Path, tmp_path: Path) -> None:
    done = command(repository, "--bundle", tmp_path)
    assert done.returncode == 1
    assert "expected .npz bundles in this folder" in done.stderr
