"""Formats of tracks: MOTS read by TrackEval and pycocotools, KITTI-STEP by its formula."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cups_training.cli import main
from cups_training.exporting.classes import ClassTable, LabelClass
from cups_training.exporting.formats.mots import class_numbers

from .conftest import (
    HEIGHT,
    RECIPE,
    WIDTH,
    Export,
    Painted,
    panoptic_map,
    street,
    write_labels,
)

DRIVES = (("train", "day_1", "0000"), ("val", "night", "0001"))


@pytest.mark.parametrize(("split", "drive", "sequence"), DRIVES)
def test_mots_maps_have_class_and_track_of_each_object(
    painted: Painted, export: Export, split: str, drive: str, sequence: str
) -> None:
    output = export("mots")
    value_of: dict[int, int] = {}
    for index, stamp in enumerate(painted.stamps(drive)):
        ids = np.array(Image.open(output / f"{split}/instances/{sequence}/{index:06d}.png"))
        label = painted.labels.get((drive, stamp))
        if label is None:
            assert (ids == 10_000).all()
            continue
        assert np.array_equal(ids == 10_000, label.segments == 0)
        for one in label.table:
            (value,) = np.unique(ids[label.segments == one.id]).tolist()
            if not one.is_thing:
                assert value == 0
                continue
            assert np.array_equal(ids == value, label.segments == one.id)
            assert value // 1000 == {1: 1, 4: 2}[one.class_id]
            assert value_of.setdefault(one.track_id, value) == value
    assert len(set(value_of.values())) == len(value_of) == 3


@pytest.mark.parametrize(("split", "drive", "sequence"), DRIVES)
def test_mots_text_says_what_the_maps_say(
    export: Export, split: str, drive: str, sequence: str
) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    output = export("mots")
    folder = output / split
    maps = {
        int(path.stem): np.array(Image.open(path)).astype(int)
        for path in (folder / "instances" / sequence).glob("*.png")
    }
    for line in (folder / "instances_txt" / f"{sequence}.txt").read_text().splitlines():
        frame, value, kind, height, width, counts = line.split(" ")
        assert (int(height), int(width)) == (HEIGHT, WIDTH)
        assert int(kind) == int(value) // 1000
        mask = coco.decode({"size": [HEIGHT, WIDTH], "counts": counts.encode()})
        assert np.array_equal(mask == 1, maps[int(frame)] == int(value))
        maps[int(frame)][mask == 1] = 0
    assert not any(ids.any() for ids in maps.values())


def test_trackeval_reads_and_judges_it(painted: Painted, export: Export, tmp_path: Path) -> None:
    """The official judge reads the file as truth and as result, and finds no difference."""
    trackeval = pytest.importorskip("trackeval")
    folder = export("mots") / "train"
    results = tmp_path / "results" / "same" / "data"
    results.mkdir(parents=True)
    lines = (folder / "instances_txt/0000.txt").read_text().splitlines()
    objects = [line for line in lines if line.split(" ")[2] != "10"]
    (results / "0000.txt").write_text("\n".join(objects) + "\n")
    # Its own parser guesses the separator of the list of sequences from two lines on.
    read = trackeval.datasets.KittiMOTS(
        {
            "GT_FOLDER": str(folder),
            "GT_LOC_FORMAT": "{gt_folder}/instances_txt/{seq}.txt",
            "TRACKERS_FOLDER": str(tmp_path / "results"),
            "SEQ_INFO": {"0000": 7},
            "PRINT_CONFIG": False,
        }
    )
    found = 0
    raw = read.get_raw_seq_data("same", "0000")
    for name in ("car", "pedestrian"):
        data = read.get_preprocessed_seq_data(raw, name)
        scores = trackeval.metrics.HOTA({"PRINT_CONFIG": False}).eval_sequence(data)
        assert scores["HOTA"] == pytest.approx(1.0)
        found += data["num_gt_dets"]
    assert found == len(objects) > 10
    expected = (folder / "evaluate_mots.seqmap.train").read_text()
    assert expected == "0000 empty 000000 000006\n"


@pytest.mark.parametrize(("split", "drive", "sequence"), DRIVES)
def test_step_maps_give_back_class_and_track(
    painted: Painted, export: Export, split: str, drive: str, sequence: str
) -> None:
    output = export("kitti-step")
    for index, stamp in enumerate(painted.stamps(drive)):
        picture = np.array(
            Image.open(output / f"panoptic_maps/{split}/{sequence}/{index:06d}.png")
        ).astype(int)
        tracks = picture[..., 1] * 256 + picture[..., 2]
        if (drive, stamp) not in painted.labels:
            assert (picture == [255, 0, 0]).all()
            continue
        expected = painted.value_map(drive, index, lambda one: one.class_id, 255)
        assert np.array_equal(picture[..., 0], expected)
        expected = painted.value_map(
            drive, index, lambda one: one.track_id if one.is_thing else 0, 0
        )
        assert np.array_equal(tracks, expected)


def test_step_tracks_beyond_a_byte_come_back(own: Painted, export: Export) -> None:
    stamp = own.stamps("night")[0]
    own.labels["night", stamp] = panoptic_map(street(0), tracks=40_000)
    write_labels(own)
    output = export("kitti-step", root=own.root)
    picture = np.array(Image.open(output / "panoptic_maps/val/0001/000000.png")).astype(int)
    tracks = {int(value) for value in np.unique(picture[..., 1] * 256 + picture[..., 2])}
    assert tracks == {0, 40_001, 40_003}


def test_sequences_say_which_drive_they_are(export: Export) -> None:
    for name in ("mots", "kitti-step"):
        rows = json.loads((export(name) / "sequences.json").read_text())
        assert rows == [
            {"sequence": sequence, "drive": drive, "split": split}
            for split, drive, sequence in DRIVES
        ]


def test_an_object_without_track_is_told_with_its_frame(
    own: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = own.stamps("night")[1]
    own.labels["night", stamp] = panoptic_map(street(1), tracks=-1)
    write_labels(own)
    words = ("export", str(own.root), "mots", str(tmp_path / "out"))
    assert main((*words, "--recipe", RECIPE, "--no-privacy")) == 1
    assert f"night_{stamp}" in capsys.readouterr().err


def test_class_ten_stays_the_ignored_region() -> None:
    table = ClassTable(tuple(LabelClass(k, "", True, (0, 0, 0)) for k in range(12)))
    assert list(class_numbers(table).values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]
