"""Does the ablation without motion masks write labels that the benchmark of stage 1 can judge?"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.object_centric_labels import label_object_centric
from benchmark.stage1 import LabelFiles
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_core.semantics.appearance import describe
from cups_core.semantics.surface_geometry import view_scene
from cups_core.semantics.weight_free_codes import WeightFreeCodes, WeightFreeSettings
from cups_core.semantics.weight_free_model import WeightFreeModel
from cups_core.thing_stuff import ThingStuffSettings
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import DriveWriter
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import read_picture, write_json, write_png

HEIGHT, WIDTH = 96, 192
RIG = StereoRig(np.array([[160.0, 0, 96], [0, 160, 40], [0, 0, 1]]), 0.5, WIDTH, HEIGHT)
STAMPS = (0, 100_000_000, 200_000_000)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A red box on gray noise, 8 pixels apart in both cameras; labels of two of three frames."""
    noise = np.random.default_rng(0).integers(60, 120, (HEIGHT, WIDTH + 8, 1), np.uint8)
    scene = np.repeat(cv2.blur(noise, (3, 3))[..., None], 3, axis=2)
    scene[40:80, 80:130, 0] += 120
    writer = DriveWriter(tmp_path / "drives/a", RIG)
    like = LabelFolder(tmp_path / "labels/like")
    for stamp in STAMPS:
        left, right = scene[:, :WIDTH].copy(), scene[:, 8:].copy()
        writer.add(StereoFrame(left, right, stamp, RIG))
        if stamp != STAMPS[1]:
            is_box = (left[..., 0] > 150).astype(np.uint8)
            write_png(like.semantic("a", stamp), is_box)
    writer.finish(list(STAMPS))
    write_json(like.recipe, {"settings": {"labels": {"clip_frames": 2}}})
    write_json(like.thing_stuff, {"settings": dataclasses.asdict(ThingStuffSettings())})
    return Dataset(tmp_path)


@pytest.fixture
def model(dataset: Dataset) -> WeightFreeModel:
    view = view_scene(dataset.drives[0].frame(0), np.full(RIG.shape, 8, np.float32))
    features = describe(view, 8).reshape(HEIGHT * WIDTH // 64, -1)
    codes = WeightFreeCodes.fitted(features, WeightFreeSettings())
    centroids = np.ones((3, codes.transform.shape[1]), np.float32)
    return WeightFreeModel(codes, centroids, {})


def test_every_frame_gets_masks_and_a_second_run_changes_nothing(
    dataset: Dataset, model: WeightFreeModel
) -> None:
    like, folder = (LabelFolder(dataset.labels(name)) for name in ("like", "object_centric"))
    label_object_centric(dataset, like, folder, model)
    masks = read_picture(folder.instance("a", STAMPS[0]))
    assert masks.shape == RIG.shape
    assert 1 <= masks.max() <= 3

    labels = LabelFiles.open(folder.root)
    assert labels.drives == {"a"}
    assert len(labels.is_thing) == 3
    judged = labels.maps("a", STAMPS[0], RIG.shape)
    assert (judged.masks == masks).all()

    # A frame without a semantic map is recorded with its reason.
    rows = [json.loads(line) for line in folder.quality.read_text().splitlines()]
    assert [row["status"] == "failed" for row in rows] == [False, True, False]
    assert "semantics: " in rows[1]["reason"]

    before = {path: path.read_bytes() for path in folder.root.rglob("*.png")}
    label_object_centric(dataset, like, folder, model)
    assert {path: path.read_bytes() for path in folder.root.rglob("*.png")} == before
