"""The student, exported: the predictor makes the same map of the model and of the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from cups_core.network.export.checkpoint_export import export_checkpoint  # noqa: E402
from cups_core.network.export.conformance import violations  # noqa: E402
from cups_core.network.export.settings import TENSORRT, ExportSettings  # noqa: E402
from cups_core.network.export.student_export import LAST_LAYERS  # noqa: E402
from cups_core.network.student.panoptic_student import PanopticStudent  # noqa: E402
from cups_core.network.student.student_checkpoints import save_student  # noqa: E402
from cups_core.network.weight_kinds import MOBILENET  # noqa: E402
from cups_core.runtime.backend import RuntimeSettings  # noqa: E402
from cups_core.runtime.predictor import Predictor  # noqa: E402
from cups_core.runtime.sidecar import ONE_STAGE, read_sidecar, sidecar_path  # noqa: E402

HEIGHT, WIDTH = 64, 128
THINGS, STUFFS = 2, 3


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    student = PanopticStudent(MOBILENET, THINGS, STUFFS)
    for head in (student.semantic_head, student.centre_head):
        torch.nn.init.normal_(head[-1].weight, std=1.0)
    path = tmp_path_factory.mktemp("student") / "weights.safetensors"
    save_student(student.eval(), path, {})
    return path


@pytest.fixture(scope="module")
def images() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(5)
    rows = random.integers(0, 256, (2, HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    return list(rows.repeat(8, 1).repeat(8, 2))


def predicted(model: Path, image: NDArray[np.uint8], backend: str) -> NDArray[np.uint16]:
    predictor = Predictor(model, RuntimeSettings(backend=backend, threads=1))
    try:
        return predictor.predict(image).segments
    finally:
        predictor.close()


def test_the_model_draws_the_map_of_the_weights(
    weights: Path, images: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    model = tmp_path / "student.onnx"
    settings = ExportSettings(height=HEIGHT, width=WIDTH)
    assert export_checkpoint(weights, model, settings) is None
    sidecar = read_sidecar(sidecar_path(model))
    assert (sidecar.kind, len(sidecar.things), len(sidecar.stuffs)) == (ONE_STAGE, THINGS, STUFFS)
    assert sidecar.training["export"]["height"] == HEIGHT
    found = predicted(model, images[0], "onnxruntime")
    assert len(np.unique(found)) > 1
    # Weights take any size; this sidecar asks them at the model's.
    words = sidecar_path(model).read_text()
    words = words.replace(sidecar.sha256, str(sidecar.training["checkpoint_sha256"]), 1)
    sidecar_path(weights).write_text(words)
    assert (found == predicted(weights, images[0], "torch")).mean() > 0.99


def test_in_8_bits_its_heads_stay_as_they_are(
    weights: Path, images: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    model = tmp_path / "student.onnx"
    settings = ExportSettings(height=HEIGHT, width=WIDTH, precision="int8", int8_for=TENSORRT)
    found = export_checkpoint(weights, model, settings, images=images)
    assert found is not None
    assert 0 < found.semantic <= 1
    graph = onnx.load(model)
    assert violations(graph, TENSORRT) == []
    kept = [
        node
        for node in graph.graph.node
        if node.op_type == "Conv" and any(part in node.input[1] for part in LAST_LAYERS)
    ]
    assert len(kept) == len(LAST_LAYERS)
    assert not any("quantized" in node.input[1] for node in kept)
