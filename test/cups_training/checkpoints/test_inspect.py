"""`cups checkpoint inspect`: what a file is, whether it fits, and its row of the ledger."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cups_core.network.weight_kinds import WeightKind  # noqa: E402
from cups_training.checkpoints import ledger as ledger_module  # noqa: E402
from cups_training.checkpoints.ledger import LedgerError, read_ledger  # noqa: E402
from cups_training.cli import main  # noqa: E402

from ...cups_core.network.panoptic_files import (  # noqa: E402
    RunsCode,
    backbone_tensors,
    panoptic_tensors,
    torchvision_tensors,
    write_detectron2_pickle,
    write_lightning,
)


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["checkpoint", "inspect", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_published_checkpoint_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cups.ckpt"
    write_lightning(path)
    found = inspected(path, capsys)
    assert found["kind"] == "cups"
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["networks"].keys() == {"student", "teacher"}
    for part in found["networks"].values():
        assert part["fits"]
        assert (part["tensors"], part["things"], part["stuffs"]) == (431, 5, 22)
    assert "non-commercial" in found["licence"]["note"]
    assert main(["checkpoint", "inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "Panoptic Cascade Mask R-CNN of CUPS" in text
    assert "teacher  431 tensors, 5 things and 22 stuffs: fits" in text
    assert "licence  Apache-2.0 for the code" in text


def test_what_is_missing_and_left_over_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pth"
    tensors = panoptic_tensors()
    del tensors["roi_heads.box_head.1.fc1.weight"]
    tensors["roi_heads.box_head.3.fc1.weight"] = torch.ones(1)
    tensors["sem_seg_head.p2.0.weight"] = torch.ones(2, 2)
    torch.save({"model": tensors, "iteration": 9}, path)
    part = inspected(path, capsys)["networks"]["student"]
    assert not part["fits"]
    assert part["missing"] == ["roi_heads.box_head.1.fc1.weight"]
    assert part["left_over"] == ["roi_heads.box_head.3.fc1.weight"]
    (reshaped,) = part["reshaped"]
    assert "sem_seg_head.p2.0.weight is (2, 2) instead of (128, 256, 3, 3)" in reshaped
    main(["checkpoint", "inspect", str(path)])
    assert "does not fit, 1 of 431 are missing" in capsys.readouterr().out


def test_contradicting_class_counts_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pth"
    tensors = panoptic_tensors()
    tensors["roi_heads.mask_head.predictor.bias"] = torch.ones(1)
    torch.save({"model": tensors}, path)
    part = inspected(path, capsys)["networks"]["student"]
    assert "its boxes know 5 things and its masks 1" in part["problem"]


def test_backbones_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_detectron2_pickle(tmp_path / "dino.pkl", backbone_tensors(), 4)
    found = inspected(tmp_path / "dino.pkl", capsys)
    assert (found["kind"], found["networks"]["backbone"]["fits"]) == ("detectron2-resnet50", True)
    assert "NC" in found["licence"]["licence"]
    torch.save(torchvision_tensors(), tmp_path / "resnet.pth")
    found = inspected(tmp_path / "resnet.pth", capsys)
    assert (found["kind"], found["networks"]["backbone"]["fits"]) == ("torchvision-resnet50", True)
    assert found["left_over"] == ["fc.bias", "fc.weight"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("raft.feature_encoder.conv.weight", "raft-smurf"),
        ("net.cluster1.0.weight", "depthg"),
        ("patch_embed.proj.weight", "dino-vit"),
        ("decoder.weight", "unknown"),
    ],
)
def test_other_networks_are_named(
    key: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({key: torch.ones(2)}, tmp_path / "weights.pt")
    found = inspected(tmp_path / "weights.pt", capsys)
    assert (found["kind"], found["networks"], found["left_over"]) == (kind, {}, [key])
    assert (found["licence"] is None) == (kind == "unknown")


def test_a_file_that_runs_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof, path = tmp_path / "it_ran", tmp_path / "weights.pt"
    torch.save({"model": {"w": torch.ones(1)}, "more": RunsCode(proof)}, path)
    assert main(["checkpoint", "inspect", str(path)]) == 1
    assert "refused, since reading it the usual way would call" in capsys.readouterr().err
    assert not proof.exists()


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"PK\x03\x04 half", np.random.default_rng(1).bytes(500)]
)
def test_foreign_and_truncated_files_are_an_error(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    assert main(["checkpoint", "inspect", str(path)]) == 1
    assert f"cups checkpoint: {path}: " in capsys.readouterr().err


def test_the_ledger_has_a_row_for_every_kind() -> None:
    assert read_ledger().keys() == {kind.value for kind in WeightKind} - {"unknown"}
    assert all(row.licence and row.publisher for row in read_ledger().values())


def test_another_file_than_the_recorded_one_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, page = tmp_path / "weights.pt", tmp_path / "weights.md"
    torch.save({"patch_embed.proj.weight": torch.ones(2)}, path)
    head = "| kind | file | publisher | licence | note | sha256 |\n|---|---|---|---|---|---|\n"
    page.write_text(f"{head}| `dino-vit` | x | DINO | Apache-2.0 | n | {'0' * 64} |\n")
    monkeypatch.setattr(ledger_module, "installed_file", lambda _: page)
    assert inspected(path, capsys)["is_the_published_file"] is False
    main(["checkpoint", "inspect", str(path)])
    assert "careful  docs/weights.md lists another file of this kind" in capsys.readouterr().out
    page.write_text(page.read_text().replace("publisher", "seller"))
    with pytest.raises(LedgerError, match="expected a table with the columns kind"):
        read_ledger()
