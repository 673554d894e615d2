"""`cups export` as a whole: the same bytes always, one folder for one request, clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cups_training.cli import main
from cups_training.dataset.dataset import Dataset
from cups_training.exporting.export import WORK, Request
from cups_training.exporting.export import export as carry_out
from cups_training.exporting.registry import all_formats
from cups_training.exporting.splits import drives_by_split
from cups_training.whole_files import FileError

from .conftest import RECIPE, Export, Painted, all_bytes

FORMATS = tuple(all_formats())
NO_PROCESS = 2**22 + 1
"""Above the largest number that Linux gives a process."""


def test_the_formats_that_people_ask_for_are_there() -> None:
    assert (
        *("cityscapes", "coco-instances", "coco-panoptic", "cups-pseudo-labels", "hugging-face"),
        *("kitti", "kitti-step", "label-studio", "mots", "semantic-png"),
    ) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_dataset_gives_the_same_bytes(export: Export, name: str) -> None:
    once, again = export(name, out="once"), export(name, "--copy", out="again")
    assert all_bytes(once) == all_bytes(again)
    assert not (once / WORK).exists()
    assert not [path for path in once.rglob(".*") if path.is_file()]


class Interrupted(Exception):
    """Stands for a process that ends."""


@pytest.mark.parametrize("name", FORMATS)
def test_an_interrupted_export_goes_on_and_ends_with_the_same_bytes(
    painted: Painted, export: Export, tmp_path: Path, name: str
) -> None:
    whole = all_bytes(export(name, out="whole"))
    one = all_formats()[name]
    request = Request(
        Dataset(painted.root), name, one, tmp_path / "cut", RECIPE, (), one.SETTINGS(), None, False
    )
    for last in (0, 3, 6, 8):
        left = last

        def stop(done: int) -> None:
            nonlocal left
            left -= done
            if left < 0:
                raise Interrupted

        with pytest.raises(Interrupted):
            carry_out(request, stop)
        assert not (tmp_path / "cut" / "manifest.json").exists()
    (tmp_path / "cut" / f".half.png.{NO_PROCESS}").write_text("what a killed process leaves")
    manifest = carry_out(request, lambda done: None)
    assert json.loads(whole["manifest.json"]) == manifest
    assert all_bytes(tmp_path / "cut") == whole


def test_a_finished_drive_is_not_exported_again(painted: Painted, tmp_path: Path) -> None:
    one = all_formats()["semantic-png"]
    request = Request(
        Dataset(painted.root),
        "semantic-png",
        one,
        tmp_path / "o",
        RECIPE,
        (),
        one.SETTINGS(),
        None,
        False,
    )
    seen = []

    def stop(done: int) -> None:
        seen.append(done)
        if len(seen) == 8:
            raise Interrupted

    with pytest.raises(Interrupted):
        carry_out(request, stop)
    seen.clear()
    seen.extend([0] * 100)
    carry_out(request, seen.append)
    assert len(seen) == 103  # the three frames of the second drive


def test_a_finished_export_is_left_alone(export: Export) -> None:
    output = export("coco-panoptic")
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    export("coco-panoptic")
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(("export", *words)) == 1
    return capsys.readouterr().err


def test_another_request_is_refused_and_told_apart(
    own: Painted, export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    output = export("kitti", root=own.root)
    words = (str(own.root), "kitti", str(output), "--no-privacy", "--recipe", RECIPE)
    assert "differs in splits" in refused(capsys, *words, "--split", "val")
    assert "differs in labels" in refused(capsys, *words[:-2])
    (own.root / "drives/day_1/calibration.json").write_text(
        (own.root / "drives/day_1/calibration.json").read_text() + "\n"
    )
    assert "differs in dataset" in refused(capsys, *words)


def test_a_run_that_was_killed_before_it_began_is_no_other_export(
    export: Export, tmp_path: Path
) -> None:
    (tmp_path / "kitti" / WORK).mkdir(parents=True)
    (tmp_path / "kitti" / WORK / f".request.json.{NO_PROCESS}").write_text("{")
    assert (export("kitti") / "manifest.json").exists()


def test_a_folder_with_other_files_is_refused(
    painted: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    words = (str(painted.root), "kitti", str(tmp_path), "--no-privacy")
    assert "expected an empty folder" in refused(capsys, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_privacy_must_be_decided(
    painted: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(painted.root), "kitti", str(tmp_path / "out"))
    assert "--no-privacy" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_formats_of_labels_name_the_recipes_there_are(
    painted: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(painted.root), "mots", str(tmp_path / "out"), "--no-privacy")
    assert RECIPE in refused(capsys, *words)
    assert RECIPE in refused(capsys, *words, "--recipe", "fullish")


def test_the_manifest_says_where_it_comes_from(own: Painted, export: Export) -> None:
    (own.root / "manifest.json").write_text("{}\n")
    output = export("cityscapes", "--split", "train", root=own.root)
    manifest: dict[str, Any] = json.loads((output / "manifest.json").read_text())
    request, result = manifest["request"], manifest["result"]
    assert request["format"] == "cityscapes"
    assert request["format_version"] == 1
    assert request["dataset"]["manifest_sha256"] == (
        "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"
    )
    assert request["labels"]["recipe"] == RECIPE
    assert request["labels"]["configuration"] == {"format": 1}
    assert request["splits"] == {"train": ["day_1"]}
    assert request["settings"] == {"whole_sequences": False}
    assert request["privacy"]["anonymized"] is False
    assert result["counts"] == {"frames": 7, "labelled": 6}
    assert str(own.root) not in json.dumps(manifest)


def test_only_the_asked_splits_leave(export: Export) -> None:
    output = export("semantic-png", "--split", "val")
    assert {path.name for path in (output / "images").iterdir()} == {"val"}


def test_drives_of_no_split_are_named(own: Painted, export: Export) -> None:
    (own.root / "splits" / "val.txt").unlink()
    manifest = json.loads((export("kitti", root=own.root) / "manifest.json").read_text())
    assert manifest["result"]["drives_left_out"] == ["night"]
    assert manifest["request"]["splits"] == {"train": ["day_1"]}


def test_a_drive_in_two_splits_is_refused(own: Painted) -> None:
    (own.root / "splits" / "val.txt").write_text("night\nday_1\n")
    with pytest.raises(FileError, match="day_1 in both"):
        drives_by_split(Dataset(own.root), ())


def test_a_dataset_without_lists_is_all_for_training(own: Painted) -> None:
    shutil.rmtree(own.root / "splits")
    assert drives_by_split(Dataset(own.root), ()) == {"train": ("day_1", "night")}


def test_labels_of_frames_that_are_gone_are_told(
    own: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = own.root / "drives/day_1/frames.jsonl"
    lines = frames.read_text().splitlines()
    frames.write_text("\n".join(lines[:2] + lines[3:]) + "\n")
    words = (str(own.root), "semantic-png", str(tmp_path / "o"), "--no-privacy", "--recipe", RECIPE)
    assert "label of no frame" in refused(capsys, *words)


def test_a_map_that_does_not_fit_its_table_is_told(
    own: Painted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = own.stamps("night")[:2]
    maps = own.root / "labels" / RECIPE / "panoptic" / "night"
    shutil.copy(maps / f"{second}.png", maps / f"{first}.png")
    words = (str(own.root), "semantic-png", str(tmp_path / "o"), "--no-privacy", "--recipe", RECIPE)
    assert f"{first}.png" in refused(capsys, *words)


def test_a_missing_picture_is_told_and_an_export_goes_on_when_it_is_back(
    own: Painted, export: Export, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stamp = own.stamps("night")[2]
    picture = own.root / "drives/night/right" / f"{stamp}.png"
    picture.rename(tmp_path / "away.png")
    words = (str(own.root), "kitti", str(tmp_path / "kitti"), "--no-privacy", "--recipe", RECIPE)
    assert f"{stamp}.png" in refused(capsys, *words)
    (tmp_path / "away.png").rename(picture)
    output = export("kitti", root=own.root)
    again = export("kitti", root=own.root, out="whole")
    assert all_bytes(output) == all_bytes(again)


def test_a_new_format_is_one_new_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, painted: Painted
) -> None:
    from cups_training.exporting import formats

    (tmp_path / "stamp_list.py").write_text(
        "from cups_training.exporting.format import Format\n"
        "from cups_training.whole_files import write_whole\n"
        "class StampList(Format):\n"
        "    PURPOSE = 'stamps, one a line'\n"
        "    def write_drive(self, drive):\n"
        "        for frame in drive.frames():\n"
        "            yield {'regions': [], 'stamp': frame.stamp_ns}\n"
        "    def finish(self, spool):\n"
        "        text = ''.join(f\"{row['stamp']}\\n\" for row in spool.all())\n"
        "        write_whole(self.target.root / 'stamps.txt', text.encode())\n"
        "        return {}\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    output = tmp_path / "out"
    assert main(("export", str(painted.root), "stamp-list", str(output), "--no-privacy")) == 0
    stamps = [int(line) for line in (output / "stamps.txt").read_text().split()]
    assert stamps == painted.stamps("day_1") + painted.stamps("night")
