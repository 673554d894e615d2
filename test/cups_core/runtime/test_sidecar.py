"""The YAML file beside a model: written, read back, and refused where it cannot be true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cups_core.errors import ModelError
from cups_core.runtime.model_file import check_file, sha256_of
from cups_core.runtime.sidecar import read_sidecar, sidecar_path, write_sidecar

from .small_graphs import cascade_sidecar, write_cascade


def test_a_sidecar_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_sidecar(path, cascade_sidecar())
    assert read_sidecar(path) == cascade_sidecar()
    assert yaml.safe_load(path.read_text())["outputs"] == [
        "boxes",
        "scores",
        "labels",
        "masks",
        "semantic",
    ]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("format", 2, "format: expected 1, found 2"),
        ("kind", "two_stage", "kind: expected one of cascade, one_stage"),
        ("kind", 3, "kind: expected str, found int 3"),
        ("precision", "fp8", "precision: expected one of fp32"),
        ("sha256", "12", "sha256: expected 64 hexadecimal digits"),
        ("outputs", ["boxes"], "outputs: expected boxes, scores"),
        ("outputs", "boxes", "outputs: expected a list"),
        ("thresholds", 3, "thresholds: expected names with values"),
        ("classes", {}, "classes: expected a list"),
        ("classes", [], "classes: expected 1 to 254, found 0"),
        ("input.width", 100, "input.width: expected a multiple of 32"),
        ("input.width", "128", "width: expected int, found str"),
        ("input.mean", [1, 2], "input.mean: expected three numbers"),
        ("input.std", [1, 0, 1], "input.std: expected three positive"),
        ("classes.0.id", 3, r"classes: expected each id once, found \[3\]"),
        ("classes.0.id", 65535, "expected an id of 0 to 65534"),
        ("classes.0.color", [1, 2, 256], "expected a color"),
        ("classes.0.color", "red", r"classes\[0\].color: expected three whole"),
        ("classes.0.is_thing", 1, "is_thing: expected bool, found int"),
        ("classes.0.names", "x", "unknown field 'names': did you mean 'name'"),
    ],
)
def test_a_field_that_cannot_be_is_named(
    place: str, value: object, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    write_sidecar(path, cascade_sidecar())
    content: Any = yaml.safe_load(path.read_text())
    item, (*parents, last) = content, place.split(".")
    for name in parents:
        item = item[int(name) if isinstance(item, list) else name]
    item[last] = value
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelError, match=words) as caught:
        read_sidecar(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["kind", "input", "classes", "sha256", "precision"])
def test_a_missing_field_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_sidecar(path, cascade_sidecar())
    content = yaml.safe_load(path.read_text())
    del content[name]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelError, match=f"{name} is missing"):
        read_sidecar(path)


@pytest.mark.parametrize(
    ("content", "words"), [("{", "expected YAML"), ("- 1", "expected fields with values")]
)
def test_a_file_that_is_no_sidecar_is_refused(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ModelError, match=words):
        read_sidecar(tmp_path / "a.yaml")


def test_a_missing_sidecar_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a model needs its sidecar beside it"):
        read_sidecar(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "0 bytes, cut off"),
    ],
)
def test_another_file_than_the_described_one_is_refused(
    content: bytes, words: str, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path)
    sidecar = read_sidecar(sidecar_path(model))
    check_file(model, sidecar)
    assert sidecar.sha256 == sha256_of(model)
    model.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        check_file(model, sidecar)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    size = model.stat().st_size
    model.write_bytes(model.read_bytes()[: size // 2])
    with pytest.raises(ModelError, match=rf"{size // 2} bytes, cut off or of another model"):
        check_file(model, read_sidecar(sidecar_path(model)))
