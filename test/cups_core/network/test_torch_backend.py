"""A file of weights in place of an exported model: the same map as the network itself gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from cups_core.errors import CheckpointError  # noqa: E402
from cups_core.network import safetensors_files  # noqa: E402
from cups_core.network.cascade.image_batch import ImageBatch  # noqa: E402
from cups_core.network.cascade.panoptic_cascade import PanopticCascade  # noqa: E402
from cups_core.network.panoptic_checkpoints import save_safetensors  # noqa: E402
from cups_core.network.student.panoptic_student import PanopticStudent  # noqa: E402
from cups_core.network.student.student_checkpoints import save_student  # noqa: E402
from cups_core.network.student.student_graph import StudentGraph  # noqa: E402
from cups_core.network.weight_kinds import RESNET18  # noqa: E402
from cups_core.panoptic_combination import CombinationSettings, combine  # noqa: E402
from cups_core.runtime.backend import RuntimeSettings  # noqa: E402
from cups_core.runtime.predictor import Predictor  # noqa: E402
from cups_core.runtime.sidecar import ONE_STAGE, sidecar_path, write_sidecar  # noqa: E402

THINGS, STUFFS = 2, 3
WIDTH, HEIGHT = 96, 64
SETTINGS = RuntimeSettings(threads=1)


def network_that_finds_things() -> PanopticCascade:
    """Random weights as wide as those of a trained network, with calibrated normalisation."""
    torch.manual_seed(3)
    network = PanopticCascade(THINGS, STUFFS)
    generator = torch.Generator().manual_seed(4)
    noise = [torch.rand(3, HEIGHT, WIDTH, generator=generator) for _ in range(2)]
    heads = network.roi_heads
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        network.train().backbone(ImageBatch.of(noise).images)
        for predictor in heads.box_predictor:
            predictor.cls_score.weight.normal_(0, 0.15)
            predictor.bbox_pred.weight.normal_(0, 0.15)
        network.proposal_generator.rpn_head.objectness_logits.weight.normal_(0, 0.1)
        heads.mask_head.predictor.weight.normal_(0, 0.6)
        network.sem_seg_head.predictor.weight.normal_(0, 0.6)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> PanopticCascade:
    return network_that_finds_things()


@pytest.fixture(scope="module")
def weights(network: PanopticCascade, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "cascade.safetensors"
    save_safetensors(network, path, {})
    yield path
    path.unlink()  # 300 MB


def test_weights_alone_are_described_and_run_as_the_network_itself(
    network: PanopticCascade, weights: Path
) -> None:
    alone = Predictor(weights, SETTINGS)
    assert (alone.sidecar.input.width, alone.sidecar.input.height) == (1024, 512)
    assert [item.name for item in alone.classes] == [
        "stuff_0",
        "stuff_1",
        "stuff_2",
        "thing_0",
        "thing_1",
    ]
    place = replace(alone.sidecar.input, width=WIDTH, height=HEIGHT)
    write_sidecar(sidecar_path(weights), replace(alone.sidecar, input=place))
    predictor = Predictor(weights, SETTINGS)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    found = predictor.predict(image)
    with torch.inference_mode():
        (scene,) = network([torch.from_numpy(image).permute(2, 0, 1).float() / 255])
    labels = scene.semantic.argmax(0).numpy()
    expected = combine(scene.detections(), labels, STUFFS, CombinationSettings())
    assert sum(item.is_thing for item in expected.table) > 5
    assert [item.class_id for item in found.table] == [item.class_id for item in expected.table]
    # Normalisation in 0 to 255 instead of 0 to 1 moves what lies on the edge.
    assert np.mean(found.segments != expected.segments) < 0.005
    np.testing.assert_allclose(
        [item.score for item in found.table], [item.score for item in expected.table], atol=2e-3
    )


def test_weights_of_other_classes_than_the_sidecar_says_are_refused(weights: Path) -> None:
    described = Predictor(weights, SETTINGS).sidecar
    kept = [item for item in described.classes if item.name != "stuff_1"]
    write_sidecar(sidecar_path(weights), replace(described, classes=tuple(kept)))
    with pytest.raises(CheckpointError, match="expected 2 things and 2 stuffs, found 2 and 3"):
        Predictor(weights, SETTINGS)
    sidecar_path(weights).unlink()


def test_weights_of_a_student_run_as_its_graph_does(tmp_path: Path) -> None:
    torch.manual_seed(1)
    student = PanopticStudent(RESNET18, THINGS, STUFFS).eval()
    with torch.no_grad():
        student.semantic_head[-1].weight.normal_(0, 1)
        student.centre_head[-1].weight.normal_(0, 1)
    weights = tmp_path / "student.safetensors"
    save_student(student, weights, {})
    predictor = Predictor(weights, SETTINGS)
    assert predictor.sidecar.kind == ONE_STAGE
    assert [item.is_thing for item in predictor.classes] == [False] * STUFFS + [True] * THINGS
    tensor = np.random.default_rng(0).normal(size=(1, 3, 512, 1024)).astype(np.float32)
    found = predictor.backend.run(tensor)
    with torch.inference_mode():
        expected = StudentGraph(student)(torch.from_numpy(tensor))
    for name, values in zip(("semantic", "centres", "offsets"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, atol=1e-3, rtol=1e-4)
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    table = predictor.predict(image).table
    assert {item.class_name for item in table} <= {item.name for item in predictor.classes}
    assert table


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors_files.write(path, {"layer.weight": torch.ones(2, 2)}, {})
    with pytest.raises(CheckpointError, match="expected the student of Panoptic Cascade"):
        Predictor(path, SETTINGS)
