"""The arguments of an export: privacy is chosen or declined, never forgotten."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cups_core.errors import CupsError, InputError
from cups_training.dataset.dataset import Dataset
from cups_training.privacy.anonymizer import Anonymizer
from cups_training.privacy.arguments import add_privacy_arguments, anonymizer_from
from cups_training.privacy.onnx_detector import OnnxDetector
from cups_training.whole_files import write_json, write_json_lines

from .color_finder import write_finder


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A drive without frames: nothing of it is looked at."""
    drive = tmp_path / "drives" / "d"
    K = [[100, 0, 80], [0, 100, 48], [0, 0, 1]]
    write_json(drive / "calibration.json", {"K": K, "baseline_m": 0.5, "width": 160, "height": 96})
    write_json_lines(drive / "frames.jsonl", [])
    return Dataset(tmp_path)


def chosen(dataset: Dataset, *words: str) -> Anonymizer | None:
    parser = argparse.ArgumentParser()
    add_privacy_arguments(parser)
    return anonymizer_from(parser.parse_args(words), dataset)


def test_without_a_word_nothing_is_exported(dataset: Dataset) -> None:
    with pytest.raises(
        InputError, match="would be readable: give --privacy-detector.*--no-privacy"
    ):
        chosen(dataset)


def test_declining_is_explicit(dataset: Dataset) -> None:
    assert chosen(dataset, "--no-privacy") is None


def test_several_detectors_work_together(dataset: Dataset, tmp_path: Path) -> None:
    words = []
    for name in ("faces", "plates"):
        path = write_finder(
            tmp_path / f"{name}.onnx", "yolo_v8", kinds={name[:5].rstrip("s"): name[:-1]}
        )
        words += ["--privacy-detector", str(path)]
    found = chosen(dataset, *words, "--privacy-set", "method=fill")
    assert found is not None
    assert found.settings.method == "fill"
    assert [type(one) for one in found.detectors] == [OnnxDetector, OnnxDetector]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--no-privacy", "--privacy-zones", "fast"), "contradicts"),
        (("--persons", "3", "--no-privacy"), "belong to --privacy-zones"),
        (("--privacy-zones", "fast"), "thing_stuff.json"),
        (("--privacy-zones", "fast", "--privacy-set", "block=3"), "did you mean 'blocks'"),
    ],
)
def test_contradictions_are_refused(dataset: Dataset, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(CupsError, match=message):
        chosen(dataset, *words)
