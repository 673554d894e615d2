"""Zones of labels on a synthetic drive whose truth is known, and what happens without a label."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmark.privacy import PERSONS, VEHICLES, write_truth_labels
from benchmark.privacy_truth import PrivateThings
from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_result import ClipResult, FrameRecord
from cups_training.labelling.label_folder import LabelFolder
from cups_training.privacy.blurring import BlurSettings, unreadable
from cups_training.privacy.label_zones import ALL, NONE, THINGS, LabelZones, ZoneSettings
from cups_training.privacy.regions import HEAD_ZONE, PICTURE, PLATE_ZONE, FrameContext, Side
from cups_training.synthetic.dataset import write_drive
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.whole_files import FileError, read_json, write_json

pytest.importorskip("embreex")

SETTINGS = DriveSettings(width=640, height=320, frames=1, field_of_view_deg=70.0)
NAME = "4_usual"


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    """Eight heads and plates near enough to be readable."""
    return SyntheticDrive(SETTINGS, 4)


@pytest.fixture(scope="module")
def dataset(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One frame with masks of the truth as labels."""
    root = tmp_path_factory.mktemp("dataset")
    write_drive(drive, NAME, root)
    found = Dataset(root)
    write_truth_labels(found, found.drives[0], "instance", LabelFolder(found.labels("truth")))
    return found


@pytest.fixture
def labels(dataset: Dataset, tmp_path: Path) -> Path:
    """A copy of the labels that a test may change."""
    return Path(shutil.copytree(dataset.labels("truth"), tmp_path / "truth"))


def frame(dataset: Dataset) -> StereoFrame:
    return dataset.drives[0].frame(0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_heads_and_plates_are_hidden_in_both_pictures(
    dataset: Dataset, drive: SyntheticDrive, side: Side
) -> None:
    detector = LabelZones(dataset.labels("truth"), PERSONS, VEHICLES)
    found = detector.regions(FrameContext(NAME, side, frame(dataset)))
    hidden = unreadable(drive.rig.shape, found, BlurSettings())
    things = PrivateThings(drive).of(0, side)
    for kind in ("head", "plate"):
        own = [thing.pixels for thing in things if thing.kind == kind]
        assert len(own) >= 2
        assert hidden[np.any(own, axis=0)].mean() > 0.9
    assert hidden.mean() < 0.4


def test_what_holds_no_people_or_no_vehicles_gets_no_zone_of_them(dataset: Dataset) -> None:
    def kinds(persons: str, vehicles: str) -> set[str]:
        detector = LabelZones(dataset.labels("truth"), persons, vehicles)
        return {
            region.kind for region in detector.regions(FrameContext(NAME, "left", frame(dataset)))
        }

    assert kinds(THINGS, THINGS) == {HEAD_ZONE, PLATE_ZONE}
    assert kinds(THINGS, NONE) == {HEAD_ZONE}
    assert kinds(NONE, ALL) == {PLATE_ZONE}
    assert kinds(NONE, NONE) == set()


def test_what_is_too_small_to_read_is_left(dataset: Dataset) -> None:
    settings = ZoneSettings(smallest_head_px=300.0, smallest_plate_px=100.0)
    detector = LabelZones(dataset.labels("truth"), ALL, ALL, settings)
    assert detector.regions(FrameContext(NAME, "left", frame(dataset))) == []


def whole_pictures(detector: LabelZones, stereo: StereoFrame) -> bool:
    (found,) = detector.regions(FrameContext(NAME, "left", stereo))
    height, width = stereo.rig.shape
    return (found.kind, found.width, found.height) == (PICTURE, width, height)


def test_a_frame_without_a_label_is_hidden_as_a_whole(dataset: Dataset, labels: Path) -> None:
    (path,) = (labels / "clips" / NAME).glob("*.json")
    known = ClipResult.read(path)
    stamp = known.frames[0].stamp_ns
    failed = (FrameRecord.failed(stamp, "black left image"),)
    ClipResult(known.clip, known.fingerprint, failed, known.statistics).write(path)
    assert whole_pictures(LabelZones(labels), frame(dataset))


def test_a_frame_without_a_road_is_hidden_as_a_whole(dataset: Dataset) -> None:
    real = frame(dataset)
    blank = np.full_like(real.left, 80)
    stereo = StereoFrame(blank, blank, real.stamp_ns, real.rig)
    assert whole_pictures(LabelZones(dataset.labels("truth")), stereo)


def test_labels_without_things_are_no_excuse_to_hide_nothing(labels: Path) -> None:
    path = LabelFolder(labels).thing_stuff
    split = read_json(path)
    write_json(path, {"things": [], "stuff": split["things"]})
    with pytest.raises(InputError, match=r"--persons: the labels call no class a thing.* say all"):
        LabelZones(labels)
    LabelZones(labels, ALL, NONE)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("99", r"--persons: the labels have no classes \[99\], theirs are 11 to 18"),
        ("people", "--persons: expected classes such as 7,12, or things, all or none"),
    ],
)
def test_unknown_classes_are_explained(dataset: Dataset, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelZones(dataset.labels("truth"), word)


def test_a_recipe_that_was_not_made_is_explained(dataset: Dataset) -> None:
    with pytest.raises(FileError, match="thing_stuff.json"):
        LabelZones(dataset.labels("full"))


def test_the_provenance_admits_how_much_zones_miss(dataset: Dataset) -> None:
    found = LabelZones(dataset.labels("truth"), PERSONS).provenance()
    assert "weaker than a detector" in found["note"]
    assert found["persons"] == PERSONS
    assert found["vehicles"] == THINGS
    assert found["settings"]["highest_head_m"] == 2.0


def test_zones_go_to_other_processes(dataset: Dataset) -> None:
    detector = LabelZones(dataset.labels("truth"), PERSONS, VEHICLES)
    seen = FrameContext(NAME, "right", frame(dataset))
    assert pickle.loads(pickle.dumps(detector)).regions(seen) == detector.regions(seen)


def test_bands_upside_down_are_refused() -> None:
    with pytest.raises(InputError, match="highest_plate_m: expected more than 1.5 m"):
        ZoneSettings(lowest_plate_m=1.5)
