"""Are frames chosen evenly, classes found without weights, and the file the same each time?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.semantics.clustering import ClusteringSettings
from cups_core.semantics.depth_guided import InferenceSettings
from cups_core.semantics.mean_field import MeanFieldSettings
from cups_core.semantics.semantic_classifier import SemanticClassifier
from cups_core.semantics.weight_free_codes import WeightFreeSettings
from cups_core.semantics.weight_free_model import WeightFreeModel
from cups_training.cli import main
from cups_training.semantics_fitting.frame_sample import choose_frames
from cups_training.semantics_fitting.weight_free_fit import fit_weight_free
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.dataset import write_drive
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

pytest.importorskip("embreex")
STREET = DriveSettings(width=384, height=192, frames=2)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 60), st.integers(0, 9))
def test_chosen_frames_exist_differ_and_are_spread_over_the_drives(
    lengths: list[int], count: int, seed: int
) -> None:
    total = sum(lengths)
    if total == 0:
        with pytest.raises(InputError, match="expected at least one"):
            choose_frames(lengths, count, seed)
        return
    chosen = choose_frames(lengths, count, seed)
    assert len(set(chosen)) == len(chosen) == min(count, total)
    assert chosen == sorted(chosen)
    assert all(0 <= frame < lengths[drive] for drive, frame in chosen)
    for drive, length in enumerate(lengths):
        share = sum(1 for other, _ in chosen if other == drive)
        assert abs(share - length * len(chosen) / total) < 2


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dataset")
    for seed in (100_000, 100_001):
        write_drive(SyntheticDrive(STREET, seed), f"drive_{seed}", root)
    return root


def test_pseudo_classes_of_one_street_name_most_of_another() -> None:
    estimator = SemiGlobalMatching()
    settings = DriveSettings(width=640, height=320)
    learned = [SyntheticDrive(settings, seed).frame(4) for seed in (100_000, 100_001)]
    fit = fit_weight_free(
        learned, estimator, WeightFreeSettings(), ClusteringSettings(classes=20, restarts=2)
    )
    frame, truth = SyntheticDrive(settings, 200_001).frame_with_truth(4)
    disparity = estimator.disparities(frame.left, frame.right)[0]
    for half_size in (False, True):
        classifier = SemanticClassifier(
            fit.extractor,
            fit.clustering.centroids,
            InferenceSettings(half_size=half_size),
            MeanFieldSettings(),
        )
        found = classifier.classify(frame, disparity)
        shared = np.zeros((20, 256), np.int64)
        np.add.at(shared, (found, truth.semantic), 1)
        assert shared.max(axis=1).sum() > 0.75 * found.size
        road_classes = shared.argmax(axis=1) == StreetClass.ROAD
        is_road = truth.semantic == StreetClass.ROAD
        assert road_classes[found[is_road]].mean() > 0.8


@pytest.mark.parametrize("half_size", [False, True])
@pytest.mark.parametrize("field", [None, MeanFieldSettings()])
def test_odd_sizes_are_labelled_at_their_size(
    half_size: bool, field: MeanFieldSettings | None
) -> None:
    size = DriveSettings(width=331, height=167)
    frame = SyntheticDrive(size, 5).frame(0)
    estimator = SemiGlobalMatching()
    fit = fit_weight_free(
        [frame], estimator, WeightFreeSettings(), ClusteringSettings(classes=6, restarts=1)
    )
    classifier = SemanticClassifier(
        fit.extractor, fit.clustering.centroids, InferenceSettings(half_size=half_size), field
    )
    found = classifier.classify(frame, estimator.disparities(frame.left, frame.right)[0])
    assert found.shape == (167, 331)
    assert found.dtype == np.uint8
    assert found.max() < classifier.classes == 6


def test_the_command_writes_a_model_and_the_same_one_again(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for file in files:
        words = ["fit-semantics", str(dataset), "--classes", "9", "--frames", "3", "--out"]
        assert main([*words, str(file)]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["file"] == str(file)
        assert 0 < said["similarity"] < 1
    assert files[0].read_bytes() == files[1].read_bytes()
    model = WeightFreeModel.read(files[0])
    assert len(model.centroids) == 9
    assert set(model.provenance["drives"]) == {"drive_100000", "drive_100001"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--features", "dino"], "expected --weights FILE"),
        (["--weights", "dino.pth"], "did you mean --features dino"),
        (["--classes", "1"], "classes: expected at least 2"),
        (["--frames", "0"], "expected at least one"),
    ],
)
def test_wrong_arguments_are_explained(
    words: list[str], complaint: str, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit-semantics", str(dataset), *words]) == 1
    assert complaint in " ".join(capsys.readouterr().err.split())


def test_a_folder_without_drives_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit-semantics", str(tmp_path)]) == 1
    assert "expected a dataset" in capsys.readouterr().err
