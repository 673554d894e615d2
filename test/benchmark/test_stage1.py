"""Does the benchmark of stage 1 read labels and truth as they lie on disk and judge them right?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.dataset.drive import DriveWriter
from cups_training.synthetic.classes import StreetClass

SHAPE = (48, 96)
RIG = StereoRig(np.array([[80.0, 0, 48], [0, 80, 24], [0, 0, 1]]), 0.5, SHAPE[1], SHAPE[0])
STAMPS = (1_000_000_000, 1_100_000_000)
DRIVES = ("7_usual", "8_all_static")
# Pseudo-classes are numbered backwards, so that a reader that takes them for classes fails.
PSEUDO_CLASS = {StreetClass.ROAD: 2, StreetClass.SKY: 1, StreetClass.CAR: 0}


def street(drive: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, instances and movers: road, sky, one car that moves (or not) and one that stands."""
    classes = np.full(SHAPE, StreetClass.ROAD, np.uint8)
    classes[:10] = StreetClass.SKY
    instances = np.zeros(SHAPE, np.uint16)
    instances[20:40, 5:30], instances[20:40, 60:90] = 4, 9
    classes[instances > 0] = StreetClass.CAR
    moving = np.where((instances == 4) & drive.endswith("usual"), instances, 0).astype(np.uint16)
    return classes, instances, moving


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = picture[..., ::-1] if picture.ndim == 3 else picture
    assert cv2.imwrite(str(path), np.ascontiguousarray(stored))


def write_labels(
    root: Path, *, masks_of: str, skipped: frozenset[tuple[str, int]] = frozenset()
) -> None:
    """Labels with masks on the moving or on all cars; the rest is true, cars without mask void."""
    annotations, quality = [], []
    for drive in DRIVES:
        classes, instances, moving = street(drive)
        masks = moving if masks_of == "moving" else instances
        pseudo = np.zeros(SHAPE, np.uint8)
        for name, number in PSEUDO_CLASS.items():
            pseudo[classes == name] = number
        ids = np.where(masks > 0, masks.astype(int) * 300, 70_000 * pseudo.astype(int))
        for stamp in STAMPS:
            quality.append({"drive": drive, "stamp_ns": stamp})
            if (drive, stamp) in skipped:
                continue
            write(root / "pairs" / drive / f"{stamp}_semantic.png", pseudo)
            write(root / "pairs" / drive / f"{stamp}_instance.png", masks)
            color = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
            write(root / "panoptic" / drive / f"{stamp}.png", color)
            listed = [
                {"id": int(number), "category_id": int(pseudo[ids == number][0])}
                for number in np.unique(ids[ids > 0])
            ]
            name = f"{drive}/{stamp}.png"
            annotations.append({"file_name": name, "image_id": 0, "segments_info": listed})
    categories = [{"id": k, "isthing": int(k == 0)} for k in range(3)]
    content = {"categories": categories, "annotations": annotations, "images": []}
    (root / "panoptic.json").write_text(json.dumps(content))
    (root / "quality.jsonl").write_text("".join(json.dumps(row) + "\n" for row in quality))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for drive in DRIVES:
        writer = DriveWriter(tmp_path / "drives" / drive, RIG)
        gray = np.full((*SHAPE, 3), 90, np.uint8)
        classes, instances, moving = street(drive)
        for stamp in STAMPS:
            writer.add(StereoFrame(gray, gray, stamp, RIG))
            for kind, picture in (
                ("semantic", classes),
                ("instance", instances),
                ("moving", moving),
                ("disparity", np.full(SHAPE, 2 * 64, np.uint16)),  # 2 px: 20 m
            ):
                write(tmp_path / "truth" / drive / f"{stamp}_{kind}.png", picture)
        writer.finish(list(STAMPS))
    return tmp_path


def judged(dataset: Path, repository: Path, *options: str) -> dict[str, list[dict]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.stage1", "--dataset", dataset, "--json", *options],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    tables = json.loads(done.stdout)["tables"]
    return {title.split(",")[0]: rows for title, rows in tables.items()}


def test_labels_of_the_truth_are_perfect_and_static_masks_are_told_apart(
    dataset: Path, repository: Path
) -> None:
    write_labels(dataset / "labels/every_car", masks_of="all")
    write_labels(dataset / "labels/movers", masks_of="moving")
    found = judged(dataset, repository)
    masks = {row["labels"]: row for row in found["masks"]}
    labels = {row["labels"]: row for row in found["panoptic labels"]}
    perfect = labels["every_car"]
    assert (perfect["classes"], perfect["things"]) == (3, 1)
    for name in ("PQ", "SQ", "RQ", "PQ things", "PQ stuff", "ref PQ", "mIoU", "accuracy"):
        assert perfect[name] == 100
    assert perfect["void"] == 0

    # Per usual frame one car moves and one stands, in the others both stand.
    assert masks["every_car"]["precision"] == 25
    assert masks["every_car"]["any thing"] == 100
    assert masks["every_car"]["static <40 m"] == 100
    assert (masks["movers"]["precision"], masks["movers"]["<40 m"]) == (100, 100)
    assert masks["movers"]["static recall"] == 0
    # Three of four cars are void: one found of four, and the reference does not mind.
    assert labels["movers"]["PQ things"] == pytest.approx(100 * 2 / (2 + 6 / 2))
    assert labels["movers"]["ref PQ"] == 100
    cars = 20 * 25 + 20 * 30
    assert labels["movers"]["void"] == pytest.approx(
        100 * (2 * 20 * 30 + 2 * cars) / (4 * SHAPE[0] * SHAPE[1])
    )


def test_a_frame_without_a_label_counts_as_void_and_scenarios_are_told_apart(
    dataset: Path, repository: Path
) -> None:
    write_labels(
        dataset / "labels/some", masks_of="all", skipped=frozenset({(DRIVES[0], STAMPS[0])})
    )
    found = judged(dataset, repository, "--labels", "some", "--scenarios")["panoptic labels"]
    rows = {row["drives"]: row for row in found}
    assert rows["usual"]["void"] == 50
    assert rows["usual"]["PQ"] == pytest.approx(100 * 1 / 1.5)
    assert (rows["all_static"]["void"], rows["all_static"]["PQ"]) == (0, 100)


def test_things_that_are_too_small_can_be_left_out(dataset: Path, repository: Path) -> None:
    write_labels(dataset / "labels/movers", masks_of="moving")
    # The moving car has 500 pixels, the standing one 600; only the latter is asked for.
    found = judged(dataset, repository, "--smallest", "501", "--scenarios")["panoptic labels"]
    rows = {row["drives"]: row for row in found}
    assert rows["usual"]["PQ things"] == rows["all_static"]["PQ things"] == 0
    assert rows["usual"]["PQ stuff"] == 100


def test_a_folder_without_labels_is_said(dataset: Path, repository: Path) -> None:
    with pytest.raises(AssertionError, match=r"labels/none/panoptic\.json: cannot be read"):
        judged(dataset, repository, "--labels", "none")
    with pytest.raises(AssertionError, match=r"expected labels/<recipe>, found none"):
        judged(dataset, repository)
