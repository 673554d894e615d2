"""What extraction says of a dataset as a whole: splits, leaks, card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from cups_core.settings import settings_of
from cups_training.cli import main
from cups_training.dataset.card_settings import CardSettings
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive
from cups_training.extraction.settings import ExtractionSettings

from .conftest import START_NS, Extract, Shot, all_bytes, bag, shots

HOUR_NS = 3_600_000_000_000


def elsewhere(seed: int, start_ns: int = START_NS + HOUR_NS, count: int = 8) -> list[Shot]:
    """A drive that shows something else."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    scene = np.ascontiguousarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
    return [replace(shot, picture=scene) for shot in shots(count, start_ns=start_ns)]


def splits(root: Path) -> dict[str, list[str]]:
    return {name: (root / f"splits/{name}.txt").read_text().split() for name in ("train", "val")}


def test_whole_drives_are_divided(tmp_path: Path, extract: Extract) -> None:
    bags = [
        bag(tmp_path / f"d{seed}", elsewhere(seed, START_NS + seed * HOUR_NS)) for seed in range(5)
    ]
    code, _ = extract(*bags, tmp_path / "set")
    assert code == 0
    found = splits(tmp_path / "set")
    assert (len(found["train"]), len(found["val"])) == (4, 1)


@pytest.mark.parametrize("measure", ["true", "false"])
def test_a_bag_that_was_copied_stays_with_its_original(
    tmp_path: Path, extract: Extract, measure: str
) -> None:
    first = bag(tmp_path / "first", shots())
    second = Path(shutil.copytree(first, tmp_path / "second"))
    code, _ = extract(first, second, tmp_path / "set", "--set", f"measure={measure}")
    assert code == 0
    assert splits(tmp_path / "set") == {"train": ["first", "second"], "val": []}
    (relation,) = json.loads((tmp_path / "set/manifest.json").read_text())["related_drives"]
    assert relation["kind"] == "same files"


@pytest.mark.parametrize("measure", ["true", "false"])
def test_a_piece_that_was_cut_out_of_a_bag_stays_with_it(
    tmp_path: Path, extract: Extract, measure: str
) -> None:
    whole, piece = bag(tmp_path / "whole", shots(12)), bag(tmp_path / "piece", shots(12)[8:18])
    code, _ = extract(whole, piece, tmp_path / "set", "--set", f"measure={measure}")
    assert code == 0
    assert splits(tmp_path / "set")["val"] == []
    (relation,) = json.loads((tmp_path / "set/manifest.json").read_text())["related_drives"]
    assert relation["kind"] == "same pictures"


def test_one_time_of_one_camera_is_found_in_other_pictures_too(
    tmp_path: Path, extract: Extract
) -> None:
    raw = bag(tmp_path / "raw", shots(12))
    lossy = bag(tmp_path / "lossy", shots(12)[8:18], suffix=".jpg")
    assert extract(raw, lossy, tmp_path / "set")[0] == 0
    assert splits(tmp_path / "set")["val"] == []
    (relation,) = json.loads((tmp_path / "set/manifest.json").read_text())["related_drives"]
    assert relation["kind"] == "same time"


def test_simulated_clocks_that_begin_alike_relate_nothing(tmp_path: Path, extract: Extract) -> None:
    one, other = (
        bag(tmp_path / f"s{seed}", elsewhere(seed, start_ns=1_000_000_000)) for seed in (1, 2)
    )
    assert extract(one, other, tmp_path / "set")[0] == 0
    assert len(splits(tmp_path / "set")["val"]) == 1


def divided(root: Path, train: Sequence[str], val: Sequence[str]) -> None:
    (root / "splits").mkdir(parents=True)
    (root / "splits/train.txt").write_text("".join(f"{name}\n" for name in train))
    (root / "splits/val.txt").write_text("".join(f"{name}\n" for name in val))


@pytest.mark.parametrize(
    ("suffix", "later", "kind"),
    [("", 0, "same pictures"), (".jpg", HOUR_NS, "same views")],
    ids=["cut", "driven again"],
)
def test_splits_of_a_person_are_kept_and_their_leaks_told(
    tmp_path: Path, extract: Extract, suffix: str, later: int, kind: str
) -> None:
    divided(tmp_path / "set", ["one"], ["other"])
    one = bag(tmp_path / "one", shots())
    other = bag(tmp_path / "other", shots(6, START_NS + later), suffix=suffix)
    code, summary = extract(one, other, tmp_path / "set")
    assert code == 3
    assert splits(tmp_path / "set") == {"train": ["one"], "val": ["other"]}
    (leak,) = summary["leaks"]
    assert leak["kind"] == kind
    assert "The splits leak" in (tmp_path / "set/README.md").read_text()


def test_the_card_begins_with_what_hugging_face_reads(tmp_path: Path, extract: Extract) -> None:
    said = ("licence=CC-BY-4.0", "title=Crossing", "consent=public road")
    words = (word for item in said for word in ("--set", item))
    extract(bag(tmp_path / "day", shots()), tmp_path / "set", *words)
    _, front, text = (tmp_path / "set/README.md").read_text().split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["license"] == "cc-by-4.0"
    assert matter["pretty_name"] == "Crossing"
    assert matter["size_categories"] == ["n<1K"]
    assert "| consent | public road |" in text
    assert "| where | not stated |" in text
    assert "[More Information Needed]" not in text


def test_what_a_person_says_may_change_later(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots())
    extract(source, tmp_path / "set")
    drives = all_bytes(tmp_path / "set/drives")
    assert extract(source, tmp_path / "set", "--set", "licence=odbl")[0] == 0
    assert "license: odbl" in (tmp_path / "set/README.md").read_text()
    assert all_bytes(tmp_path / "set/drives") == drives


def test_drives_of_other_tools_are_part_of_the_dataset(tmp_path: Path, extract: Extract) -> None:
    extract(bag(tmp_path / "day", shots()), tmp_path / "set")
    made = tmp_path / "set/drives/made"
    shutil.copytree(tmp_path / "set/drives/day", made)
    for name in ("extraction.json", "provenance.json", "checksums.sha256", "pairs.jsonl"):
        (made / name).unlink()
    assert extract(bag(tmp_path / "night", elsewhere(3)), tmp_path / "set")[0] in (0, 3)
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    assert manifest["drives"]["made"]["source"] == {"kind": "not extracted"}
    listed = (tmp_path / "set/checksums.sha256").read_text()
    assert "drives/made/frames.jsonl" in listed


def test_an_extracted_drive_can_be_labelled(tmp_path: Path, extract: Extract) -> None:
    extract(bag(tmp_path / "day", shots(6, width=160, height=120)), tmp_path / "set")
    code = main(["label", str(tmp_path / "set"), "--workers", "1", "--json"])
    # Nothing moves in these pictures, so the gate says no; but all frames were worked on.
    assert code in (0, 1)
    assert len((tmp_path / "set/labels/fast/quality.jsonl").read_text().splitlines()) == 6


def test_pairs_of_a_drive_that_was_never_selected_from(tmp_path: Path, extract: Extract) -> None:
    taken = [shot for place, shot in enumerate(shots(10)) if place // 2 not in (4, 5)]
    extract(bag(tmp_path / "day", taken), tmp_path / "set")
    (drive,) = Dataset(tmp_path / "set").drives
    (drive.path / "pairs.jsonl").unlink()
    found = Drive(drive.path).kept_pairs()
    assert found == [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7)]


def test_the_documented_settings_are_those_of_the_code(repository: Path) -> None:
    text = (repository / "docs/dataset.md").read_text()
    for item in (*settings_of(ExtractionSettings), *settings_of(CardSettings)):
        default = str(item.default).lower() if isinstance(item.default, bool) else item.default
        line = f"| `{item.name}` | {default} | {item.description} |".replace("|  |", "| |")
        assert line in text
