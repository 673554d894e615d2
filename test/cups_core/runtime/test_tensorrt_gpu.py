"""The real TensorRT on a real GPU: builds, loads, agrees with ONNX Runtime, is fast and frees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cups_core.runtime.backend import BackendUnavailable, RuntimeSettings
from cups_core.runtime.sidecar import read_sidecar, sidecar_path
from cups_core.runtime.tensorrt_backend import machine as real_machine
from cups_core.runtime.tensorrt_backend import open_on_gpu
from cups_core.runtime.tensorrt_engine_file import read_key

from .small_graphs import HEIGHT, WIDTH, write_cascade

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _gpu() -> None:
    try:
        real_machine()
    except BackendUnavailable as problem:
        pytest.skip(str(problem))


def test_an_engine_is_built_agrees_and_is_found_again(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    sidecar = read_sidecar(sidecar_path(model))
    settings = RuntimeSettings(backend="tensorrt", engine_folder=str(tmp_path / "engines"))
    oracle = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [output.name for output in oracle.get_outputs()]
    for _ in range(2):  # built, then found
        backend = open_on_gpu(model, sidecar, settings)
        for seed in range(3):
            image = np.random.default_rng(seed).standard_normal((1, 3, HEIGHT, WIDTH), np.float32)
            found = backend.run(image)
            for name, expected in zip(names, oracle.run(names, {"image": image}), strict=True):
                np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)
        backend.close()
    (path,) = (tmp_path / "engines").glob("*.engine")
    library, device = real_machine()
    key = read_key(path)
    assert (key.gpu, key.tensorrt) == (device.name, library.version)


def test_memory_of_the_gpu_comes_back(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    sidecar = read_sidecar(sidecar_path(model))
    settings = RuntimeSettings(backend="tensorrt", engine_folder=str(tmp_path / "engines"))
    open_on_gpu(model, sidecar, settings).close()
    _, device = real_machine()
    before_mib = device.free_mib()
    for _ in range(5):
        open_on_gpu(model, sidecar, settings).close()
    assert before_mib - device.free_mib() < 16
