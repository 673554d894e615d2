"""The Cityscapes layout, read by cityscapesScripts and by a reader as the published trainer's."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cups_training.exporting.cityscapes_names import cities
from cups_training.exporting.classes import ClassTable, LabelClass
from cups_training.exporting.formats.cityscapes import label_ids
from cups_training.whole_files import FileError

from .conftest import GAP_BEFORE, PERIOD, RIG, START, Export, Painted

IDS = {1: 24, 4: 25, 0: 7, 2: 8, 3: 9, 5: 10}
"""Label id of each pseudo-class of the painted labels: things from 24 on, stuff from 7 on."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frames_are_named_by_city_clip_and_index(painted: Painted, export: Export) -> None:
    output = export("cityscapes")
    expected = [f"day-1_{int(i >= GAP_BEFORE):06d}_{i:06d}" for i in range(7)]
    for side in ("left", "right"):
        folder = output / f"{side}Img8bit_sequence" / "train" / "day-1"
        assert names(folder) == [f"{name}_{side}Img8bit.png" for name in expected]
        for index, name in enumerate(expected):
            stamp = painted.stamps("day_1")[index]
            read = np.array(Image.open(folder / f"{name}_{side}Img8bit.png"))
            assert np.array_equal(read, painted.pictures["day_1", stamp, side])
    labelled = [name for index, name in enumerate(expected) if index != 5]
    assert names(output / "leftImg8bit/train/day-1") == [f"{n}_leftImg8bit.png" for n in labelled]
    assert names(output / "gtFine/train/day-1") == sorted(
        f"{name}_gtFine_{kind}.png" for name in labelled for kind in ("labelIds", "instanceIds")
    )


def test_cameras_give_back_the_rig(export: Export) -> None:
    output = export("cityscapes", recipe="")
    cameras = sorted((output / "camera").rglob("*_camera.json"))
    assert len(cameras) == 10
    for path in cameras:
        read = json.loads(path.read_text())
        inside = read["intrinsic"]
        assert read["extrinsic"]["baseline"] == RIG.baseline_m
        assert (inside["fx"], inside["fy"]) == (RIG.fx, RIG.fy)
        assert (inside["u0"], inside["v0"]) == (RIG.cx, RIG.cy)
    assert not (output / "gtFine").exists()
    assert len(names(output / "leftImg8bit/val/night")) == 3


def test_label_maps_give_back_classes_and_objects(painted: Painted, export: Export) -> None:
    output = export("cityscapes")
    for split, city, drive in (("train", "day-1", "day_1"), ("val", "night", "night")):
        for path in sorted((output / "gtFine" / split / city).glob("*_labelIds.png")):
            index = int(path.name.split("_")[2])
            label = painted.label(drive, index)
            classes = np.array(Image.open(path))
            assert np.array_equal(
                classes, painted.value_map(drive, index, lambda one: IDS[one.class_id], 0)
            )
            instances = np.array(
                Image.open(path.with_name(path.name.replace("labelIds", "instanceIds")))
            ).astype(int)
            for one in label.table:
                (value,) = np.unique(instances[label.segments == one.id])
                assert (value // 1000 if one.is_thing else value) == IDS[one.class_id]
                assert np.array_equal(instances == value, label.segments == one.id)
            assert not instances[label.segments == 0].any()


def test_cityscapes_scripts_make_the_same_panoptic_files(export: Export, tmp_path: Path) -> None:
    """The official converter, fed with gtFine, gives the maps and segments that were exported."""
    pytest.importorskip("cityscapesscripts")
    from cityscapesscripts.helpers.labels import id2label
    from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic

    output = export("cityscapes")
    (tmp_path / "made").mkdir()
    convert2panoptic(str(output / "gtFine"), str(tmp_path / "made"), False, ["train", "val"])
    for split in ("train", "val"):
        ours = json.loads((output / f"gtFine/cityscapes_panoptic_{split}.json").read_text())
        theirs = json.loads((tmp_path / f"made/cityscapes_panoptic_{split}.json").read_text())
        by_name = {image["id"]: image for image in theirs["images"]}
        assert {image["id"]: image for image in ours["images"]} == by_name
        expected = {one["image_id"]: one for one in theirs["annotations"]}
        assert len(expected) == len(ours["annotations"]) > 0
        for one in ours["annotations"]:
            assert one["file_name"] == expected[one["image_id"]]["file_name"]
            judged = [
                segment
                for segment in one["segments_info"]
                if not id2label[segment["category_id"]].ignoreInEval
            ]
            by_id = {
                segment["id"]: segment for segment in expected[one["image_id"]]["segments_info"]
            }
            assert {segment["id"]: segment for segment in judged} == by_id
            read, made = (
                np.array(Image.open(folder / f"cityscapes_panoptic_{split}" / one["file_name"]))
                for folder in (output / "gtFine", tmp_path / "made")
            )
            ids = read.astype(int) @ [1, 256, 65536]
            is_judged = np.isin(ids, list(by_id))
            assert np.array_equal(read[is_judged], made[is_judged])
            assert not made[~is_judged].any()


def test_official_instance_reader_finds_the_objects(painted: Painted, export: Export) -> None:
    pytest.importorskip("cityscapesscripts")
    from cityscapesscripts.evaluation.instances2dict import instances2dict

    output = export("cityscapes")
    files = [str(path) for path in (output / "gtFine").rglob("*_instanceIds.png")]
    found = instances2dict(files, verbose=False)
    objects = 0
    for path, classes in found.items():
        parts = Path(path).name.split("_")
        label = painted.label({"day-1": "day_1"}.get(parts[0], parts[0]), int(parts[2]))
        expected = sorted(one.area_px for one in label.table if one.is_thing)
        areas = sorted(one["pixelCount"] for name in ("person", "rider") for one in classes[name])
        assert areas == expected
        objects += len(areas)
    assert objects > 10


def reference_samples(root: Path, split: str) -> list[dict[str, Any]]:
    """Pairs of frames and their camera, found by the rules of the published stage 1."""
    samples = []
    for city in names(root / "leftImg8bit_sequence" / split):
        clips: dict[str, list[str]] = defaultdict(list)
        for frame in names(root / "leftImg8bit_sequence" / split / city):
            clips[frame.split("_")[1]].append(frame)
        cameras = names(root / "camera" / split / city)
        for clip, frames in clips.items():
            assert len(frames) % 30 == 0
            for start in range(0, len(frames), 30):
                chunk = frames[start : start + 30]
                for first, second in zip(chunk, chunk[1:], strict=False):
                    known = [name for name in cameras if name.split("_")[1] == clip]
                    number = int(first.split("_")[2])
                    nearest = min(known, key=lambda one: abs(int(one.split("_")[2]) - number))
                    assert abs(int(nearest.split("_")[2]) - number) < 20
                    pair = {"left_0": first, "left_1": second, "camera": nearest}
                    for name, file in pair.items():
                        kind = "camera" if name == "camera" else "leftImg8bit_sequence"
                        assert (root / kind / split / city / file).exists()
                        right = file.replace("leftImg8bit", "rightImg8bit")
                        assert (
                            kind == "camera"
                            or (root / "rightImg8bit_sequence" / split / city / right).exists()
                        )
                    samples.append(pair)
    return samples


def long_drive(own: Painted, frames: int, gap_before: int) -> Path:
    """A dataset with one drive of many frames, all with the same pictures."""
    source = own.root / "drives" / "night"
    stamp = own.stamps("night")[0]
    drive = own.root / "long" / "drives" / "night"
    lines = []
    for index in range(frames):
        clip = int(index >= gap_before)
        at = START + index * PERIOD + 9 * PERIOD * clip
        lines.append(json.dumps({"stamp_ns": at, "clip": clip}))
        for side in ("left", "right"):
            (drive / side).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / side / f"{stamp}.png", drive / side / f"{at}.png")
    shutil.copy(source / "calibration.json", drive)
    (drive / "frames.jsonl").write_text("\n".join(lines) + "\n")
    return own.root / "long"


def test_the_published_stage_one_finds_its_pairs(own: Painted, export: Export) -> None:
    """Clips of 64 and 33 frames: 60 and 30 of them have names, 29 pairs in each 30."""
    root = long_drive(own, 97, 64)
    output = export("cityscapes", "--set", "whole_sequences=true", root=root, recipe="")
    assert len(reference_samples(output, "train")) == 3 * 29
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["result"]["counts"]["left_out_at_the_end_of_clips"] == 7


def test_nothing_is_left_out_by_default(own: Painted, export: Export) -> None:
    output = export("cityscapes", root=long_drive(own, 33, 31), recipe="")
    assert len(list((output / "leftImg8bit_sequence").rglob("*.png"))) == 33


@given(st.lists(st.booleans(), min_size=1, max_size=58))
def test_every_class_has_its_own_id_and_things_have_instances(kinds: list[bool]) -> None:
    classes = ClassTable(
        tuple(LabelClass(k, f"class_{k}", is_thing, (0, 0, 0)) for k, is_thing in enumerate(kinds))
    )
    ids = label_ids(classes)
    assert sorted(ids) == list(range(len(kinds)))
    assert len(set(ids.values())) == len(kinds)
    assert all(7 <= number <= 64 for number in ids.values())
    things = [ids[known.id] for known in classes.things]
    assert things[:10] == list(range(24, 24 + len(things[:10])))
    if len(kinds) <= 27:
        assert max(ids.values()) <= 33


def test_too_many_classes_are_refused() -> None:
    classes = ClassTable(tuple(LabelClass(k, "", False, (0, 0, 0)) for k in range(59)))
    with pytest.raises(FileError, match="room for 58"):
        label_ids(classes)


def test_drives_that_would_be_one_city_are_refused() -> None:
    assert cities(["a_b", "c d"]) == {"a_b": "a-b", "c d": "c-d"}
    with pytest.raises(FileError, match="a_b, a-b"):
        cities(["a_b", "a-b"])
