"""TensorRT's results are the graph's; whatever is missing or fails goes on to the next backend."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from cups_core.errors import ModelError
from cups_core.runtime.backend import BackendFailed, BackendUnavailable, RuntimeSettings
from cups_core.runtime.predictor import Predictor
from cups_core.runtime.sidecar import read_sidecar, sidecar_path
from cups_core.runtime.tensorrt_backend import LoadedEngine, open_on_gpu
from cups_core.runtime.tensorrt_cuda import CudaError, OutOfGpuMemory, gpu

from .small_graphs import HEIGHT, WIDTH, write_cascade
from .stand_in_machine import StandInMachine

ASKED = RuntimeSettings(backend="tensorrt")
RANDOM = np.random.default_rng(3)


def image() -> NDArray[np.float32]:
    return RANDOM.standard_normal((1, 3, HEIGHT, WIDTH), np.float32)


def opened(model: Path, settings: RuntimeSettings = ASKED) -> LoadedEngine:
    return open_on_gpu(model, read_sidecar(sidecar_path(model)), settings)


@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_results_are_those_of_the_graph_image_after_image(
    version: str, machine: StandInMachine, tmp_path: Path
) -> None:
    machine.become(STAND_IN_TENSORRT=version)
    model = write_cascade(tmp_path)
    oracle = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    backend = opened(model)
    assert backend.description == f"TensorRT {version} on NVIDIA Stand-in, fp32, CUDA graph"
    for _ in range(3):
        tensor = image()
        found = backend.run(tensor)
        names = [output.name for output in oracle.get_outputs()]
        for name, expected in zip(names, oracle.run(names, {"image": tensor}), strict=True):
            np.testing.assert_array_equal(found[name], expected, strict=True)
    # One launch for each image: nothing is enqueued piece by piece any more.
    assert machine.driver.calls["cuGraphLaunch"] == 3
    assert machine.driver.calls["cuMemcpyHtoDAsync_v2"] == 2
    backend.close()


def test_an_engine_that_cannot_be_recorded_runs_all_the_same(
    machine: StandInMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine.become(STAND_IN_NO_GRAPH="1")
    backend = opened(write_cascade(tmp_path))
    assert backend.description.endswith("no CUDA graph")
    assert "cannot be recorded" in caplog.text
    first, second = image(), image()
    before = backend.run(first)["semantic"].copy()
    assert not np.array_equal(before, backend.run(second)["semantic"])
    np.testing.assert_array_equal(before, backend.run(first)["semantic"])
    backend.close()


def test_it_runs_in_another_thread_than_it_was_opened_in(
    machine: StandInMachine, tmp_path: Path
) -> None:
    backend = opened(write_cascade(tmp_path))
    found = []
    thread = threading.Thread(target=lambda: found.append(backend.run(image())))
    thread.start()
    thread.join()
    assert np.isfinite(found[0]["semantic"]).all()
    backend.close()


def test_outputs_stay_readable_when_it_is_closed(machine: StandInMachine, tmp_path: Path) -> None:
    backend = opened(write_cascade(tmp_path))
    scores = backend.run(image())["scores"]
    expected = scores.copy()
    backend.close()
    del backend
    np.testing.assert_array_equal(scores, expected)


def test_auto_takes_tensorrt_first_once_its_engine_is_built(
    machine: StandInMachine, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path)
    said: list[str] = []
    without = Predictor(model, tell=said.append)
    assert said[0].startswith("TensorRT passed over: no engine of ")
    assert f"cups engine build {model}" in said[0]
    picture = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    expected = without.predict(picture)
    without.close()
    opened(model).close()
    said.clear()
    predictor = Predictor(model, tell=said.append)
    assert predictor.backend.name == "tensorrt"
    assert said == ["small.onnx runs on TensorRT 10.3.0 on NVIDIA Stand-in, fp32, CUDA graph"]
    np.testing.assert_array_equal(predictor.predict(picture).segments, expected.segments)
    predictor.close()


def test_an_engine_of_another_version_is_built_again_and_the_field_is_said(
    machine: StandInMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = write_cascade(tmp_path)
    opened(model).close()
    machine.become(STAND_IN_TENSORRT="11.4.0.106")
    backend = opened(model, RuntimeSettings())
    assert "TensorRT version: built for 10.3.0, here 11.4.0.106; building it again" in caplog.text
    assert backend.description.startswith("TensorRT 11.4.0.106")
    backend.close()


def test_a_damaged_engine_is_named_and_built_again(
    machine: StandInMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = write_cascade(tmp_path)
    opened(model).close()
    (path,) = (tmp_path / "cache").rglob("*.engine")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    opened(model, RuntimeSettings()).close()
    assert f"{path}: cut off" in caplog.text
    assert path.read_bytes() == whole


def test_a_gpu_that_is_too_small_is_passed_over(machine: StandInMachine, tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    opened(model).close()
    machine.become(STAND_IN_GPU_MIB="2")
    said: list[str] = []
    predictor = Predictor(model, tell=said.append)
    assert "TensorRT passed over: " in said[0]
    assert "OutOfMemory" in said[0]
    assert predictor.backend.name == "onnxruntime"
    predictor.close()


def test_memory_for_the_images_that_is_lacking_is_told_in_numbers(
    machine: StandInMachine, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path)
    opened(model).close()
    machine.become(STAND_IN_GPU_MIB="3")
    with pytest.raises(BackendUnavailable, match=r"MiB asked for, 0 MiB left: .*out of memory"):
        opened(model)


def test_a_memory_limit_is_kept(machine: StandInMachine, tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    with pytest.raises(BackendUnavailable, match="OutOfMemory"):  # already at the build
        opened(model, RuntimeSettings(backend="tensorrt", gpu_memory_mib=2))
    opened(model).close()
    with pytest.raises(BackendUnavailable, match=r"about 3 MiB.*allowed are 2: raise gpu_memory"):
        opened(model, RuntimeSettings(gpu_memory_mib=2))


@pytest.mark.parametrize("code", [2, 700])
def test_a_gpu_that_fails_on_the_way_hands_over_and_no_image_is_lost(
    code: int, machine: StandInMachine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = write_cascade(tmp_path)
    opened(model).close()
    said: list[str] = []
    predictor = Predictor(model, tell=said.append)
    assert predictor.backend.name == "tensorrt"
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected = predictor.predict(picture).segments
    # A GPU that is lost refuses everything, giving memory back too.
    machine.driver.failures = {"cuStreamSynchronize": code, "cuMemFree_v2": code}
    found = predictor.predict(picture).segments
    np.testing.assert_array_equal(found, expected)
    assert predictor.backend.name == "onnxruntime"
    assert said[1].startswith("TensorRT failed: ")
    assert "given back when the process ends" in caplog.text
    machine.driver.memory.clear()
    predictor.close()


def test_a_machine_without_tensorrt_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    said: list[str] = []
    Predictor(write_cascade(tmp_path), tell=said.append).close()
    assert said[0].startswith("TensorRT passed over: ")
    assert "pip install tensorrt" in said[0]


def test_a_machine_without_a_gpu_goes_on(machine: StandInMachine, tmp_path: Path) -> None:
    machine.become(STAND_IN_GPU="")
    with pytest.raises(BackendUnavailable, match=r"TensorRT 10.3.0 needs a GPU: .*no CUDA-capable"):
        opened(write_cascade(tmp_path))


def test_an_engine_that_contradicts_its_sidecar_is_no_backend_at_all(
    machine: StandInMachine, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path, channels=5)
    with pytest.raises(ModelError, match="classes: the sidecar asks for semantic"):
        opened(model)


def test_an_image_of_another_type_is_not_converted_in_silence(
    machine: StandInMachine, tmp_path: Path
) -> None:
    backend = opened(write_cascade(tmp_path))
    with pytest.raises(TypeError, match="Cannot cast"):
        backend.run(image().astype(np.float64))  # type: ignore[arg-type]
    backend.close()


def test_the_driver_is_called_with_its_own_types_and_errors_have_words(
    machine: StandInMachine,
) -> None:
    device = gpu()
    assert (device.name, device.compute_capability) == ("NVIDIA Stand-in", "8.7")
    with pytest.raises(CudaError, match=r"cuStreamSynchronize: invalid resource handle .*400"):
        device.call("cuStreamSynchronize", 12345)
    machine.driver.failures = {"cuMemAllocHost_v2": 2}
    with pytest.raises(OutOfGpuMemory, match="out of memory"):
        device.pinned((3,), np.dtype(np.float32))


def test_pinned_memory_is_given_back_when_nobody_looks_at_it(machine: StandInMachine) -> None:
    memory = gpu().pinned((2, 3), np.dtype(np.int32))
    view = memory[1]
    assert len(machine.driver.pinned) == 1
    del memory
    assert len(machine.driver.pinned) == 1
    view[:] = 7
    del view
    assert machine.driver.pinned == {}


def test_a_run_that_fails_names_the_backend(machine: StandInMachine, tmp_path: Path) -> None:
    backend = opened(write_cascade(tmp_path))
    machine.driver.failures = {"cuGraphLaunch": 700}
    with pytest.raises(BackendFailed, match=r"TensorRT 10.3.0 on .*illegal memory access"):
        backend.run(image())
    machine.driver.failures = {}
    backend.close()


@pytest.fixture(autouse=True)
def _messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
