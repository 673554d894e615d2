"""Files of the student and of its backbones: read strictly, recognised, refused with reasons."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from cups_core.errors import CheckpointError  # noqa: E402
from cups_core.network.checkpoint_report import report_on  # noqa: E402
from cups_core.network.panoptic_checkpoints import load_panoptic  # noqa: E402
from cups_core.network.student.panoptic_student import BACKBONES, PanopticStudent  # noqa: E402
from cups_core.network.student.student_checkpoints import (  # noqa: E402
    load_student,
    load_student_backbone,
    save_student,
    student_backbone_shapes,
)
from cups_training.checkpoints.ledger import read_ledger  # noqa: E402

from .panoptic_files import RunsCode, numbered  # noqa: E402

THINGS, STUFFS = 3, 4
# How torchvision's files are called, what their classifiers hold, and a few of their names.
PUBLISHED = {
    "mobilenet_v3_large": (
        {
            "classifier.0.weight": (1280, 960),
            "classifier.0.bias": (1280,),
            "classifier.3.weight": (1000, 1280),
            "classifier.3.bias": (1000,),
        },
        312,
        {
            "features.0.0.weight": (16, 3, 3, 3),
            "features.0.1.running_var": (16,),
            "features.1.block.0.0.weight": (16, 1, 3, 3),
            "features.1.block.1.1.bias": (16,),
            "features.4.block.2.fc1.weight": (24, 72, 1, 1),
            "features.4.block.3.0.weight": (40, 72, 1, 1),
            "features.11.block.2.fc2.bias": (480,),
            "features.15.block.1.0.weight": (960, 1, 5, 5),
            "features.16.0.weight": (960, 160, 1, 1),
            "features.16.1.weight": (960,),
        },
    ),
    "resnet18": (
        {"fc.weight": (1000, 512), "fc.bias": (1000,)},
        122,
        {
            "conv1.weight": (64, 3, 7, 7),
            "bn1.running_mean": (64,),
            "layer1.1.bn2.weight": (64,),
            "layer2.0.conv1.weight": (128, 64, 3, 3),
            "layer4.0.downsample.0.weight": (512, 256, 1, 1),
            "layer4.0.downsample.1.bias": (512,),
        },
    ),
}


def published(name: str, with_counters: bool = True) -> OrderedDict[str, torch.Tensor]:
    """The tensors of torchvision's file."""
    last = {key: torch.zeros(1).expand(shape) for key, shape in PUBLISHED[name][0].items()}
    tensors = OrderedDict({**numbered(student_backbone_shapes(name)), **last})
    if not with_counters:
        tensors = OrderedDict(
            (key, value) for key, value in tensors.items() if "num_batches" not in key
        )
    return tensors


@pytest.mark.parametrize("name", PUBLISHED)
def test_backbones_have_torchvisions_names(name: str) -> None:
    _, count, known = PUBLISHED[name]
    shapes = student_backbone_shapes(name)
    assert {key: shapes[key] for key in known} == known
    assert len(published(name)) == count


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("with_counters", [True, False])
def test_torchvisions_files_fill_the_backbone(
    name: str, with_counters: bool, tmp_path: Path
) -> None:
    path = tmp_path / "backbone.pth"
    tensors = published(name, with_counters)
    torch.save(tensors, path)
    student = PanopticStudent(name, THINGS, STUFFS)
    file = load_student_backbone(student, path)
    assert set(file.beside) == PUBLISHED[name][0].keys()
    for key, tensor in student.backbone.state_dict().items():
        if with_counters or "num_batches" not in key:
            assert (tensor == tensors[key]).all(), key
    report = report_on(path)
    assert report.kind in read_ledger()
    assert report.parts[name].fits
    other = next(other for other in BACKBONES if other != name)
    with pytest.raises(CheckpointError, match=f"expected {other}.*found {report.kind}"):
        load_student_backbone(PanopticStudent(other, THINGS, STUFFS), path)


def test_a_backbone_that_runs_code_is_refused(tmp_path: Path) -> None:
    path, proof = tmp_path / "resnet18.pth", tmp_path / "it_ran"
    torch.save({**published("resnet18"), "extra": RunsCode(proof)}, path)
    with pytest.raises(CheckpointError, match="refused"):
        load_student_backbone(PanopticStudent("resnet18", THINGS, STUFFS), path)
    assert not proof.exists()


@pytest.mark.parametrize("name", BACKBONES)
def test_what_is_saved_is_read_and_recognised(name: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "student.safetensors"
    made = PanopticStudent(name, THINGS, STUFFS)
    save_student(made, path, {"teacher": "a cascade"})
    found = load_student(path, (THINGS, STUFFS))
    assert not found.training
    assert (found.things, found.stuffs) == (THINGS, STUFFS)
    expected = made.state_dict()
    assert found.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in found.state_dict().items())
    report = report_on(path)
    assert report.kind == "own-one-stage"
    assert report.kind in read_ledger()
    assert report.about["teacher"] == "a cascade"
    part = report.parts["one_stage"]
    assert (part.fits, part.things, part.stuffs) == (True, THINGS, STUFFS)
    with pytest.raises(CheckpointError, match="expected 5 things and 2 stuffs, found 3 and 4"):
        load_student(path, (5, 2))
    with pytest.raises(CheckpointError, match="own-one-stage"):
        load_panoptic(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"counts": torch.tensor([3, 5])}, "3 things and 5 stuffs.*knows 7 classes"),
        ({"counts": torch.tensor([0, 7])}, "0 things"),
        ({"counts": None}, "expected a one-stage network"),
        ({"backbone.features.0.0.weight": torch.zeros(1)}, "mobilenet_v3_large and resnet18"),
        ({"centre_head.1.bias": None}, "centre_head.1.bias"),
        ({"centre_head.1.bias": torch.tensor([torch.nan])}, "not finite"),
    ],
    ids=["counts", "no things", "no counts", "two backbones", "missing", "nan"],
)
def test_files_that_contradict_themselves_are_refused(
    change: dict[str, torch.Tensor | None], match: str, tmp_path: Path
) -> None:
    state = {**PanopticStudent("resnet18", THINGS, STUFFS).state_dict(), **change}
    path = tmp_path / "student.pth"
    torch.save({key: tensor for key, tensor in state.items() if tensor is not None}, path)
    with pytest.raises(CheckpointError, match=match):
        load_student(path)
    part = report_on(path).parts["one_stage"]
    assert part.fits == (match == "not finite")


def test_another_network_is_no_student(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(published("resnet18"), path)
    with pytest.raises(CheckpointError, match="found torchvision-resnet18"):
        load_student(path)
