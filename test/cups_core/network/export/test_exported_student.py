"""A one-stage network through the same export: equal to the eager one, fit for all runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from cups_core.network.export.checkpoint_export import export_checkpoint  # noqa: E402
from cups_core.network.export.comparison import tensor_of  # noqa: E402
from cups_core.network.export.conformance import violations  # noqa: E402
from cups_core.network.export.settings import TENSORRT, ExportSettings  # noqa: E402
from cups_core.network.student.panoptic_student import PanopticStudent  # noqa: E402
from cups_core.network.student.student_checkpoints import save_student  # noqa: E402
from cups_core.network.student.student_graph import StudentGraph  # noqa: E402
from cups_core.runtime import onnxruntime_backend  # noqa: E402
from cups_core.runtime.backend import RuntimeSettings  # noqa: E402
from cups_core.runtime.sidecar import read_sidecar, sidecar_path  # noqa: E402

SIZE = {"height": 64, "width": 128}
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v3_large"])
def test_the_exported_student_says_what_the_eager_one_says(backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    student = PanopticStudent(backbone, 2, 3).eval()
    save_student(student, tmp_path / "weights.safetensors", {})
    path = tmp_path / "model.onnx"
    export_checkpoint(tmp_path / "weights.safetensors", path, ExportSettings(**SIZE))
    assert violations(onnx.load(path)) == []
    sidecar = read_sidecar(sidecar_path(path))
    tensor = tensor_of(IMAGE, sidecar.input)
    backend = onnxruntime_backend.open_on_processor(path, sidecar, RuntimeSettings(threads=1))
    found = backend.run(tensor)
    with torch.inference_mode():
        semantic, centres, offsets = StudentGraph(student)(torch.from_numpy(tensor))
    np.testing.assert_allclose(found["semantic"], semantic, atol=1e-4)
    np.testing.assert_allclose(found["offsets"], offsets, atol=1e-2)
    np.testing.assert_allclose(found["centres"][:, 2], centres[:, 2], atol=1e-5)


def test_in_8_bits_the_student_is_fit_for_tensorrt(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_student(PanopticStudent("resnet18", 2, 3).eval(), tmp_path / "weights.safetensors", {})
    path = tmp_path / "model.onnx"
    settings = ExportSettings(**SIZE, precision="int8", int8_for=TENSORRT)
    found = export_checkpoint(tmp_path / "weights.safetensors", path, settings, images=[IMAGE])
    assert violations(onnx.load(path)) == []
    assert read_sidecar(sidecar_path(path)).precision == "int8"
    assert found is not None
    assert found.semantic > 0.7
