"""TensorRT's API is used in its order and with its types, 10.3 and 11 alike; errors are told."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from cups_core.runtime.backend import BackendUnavailable
from cups_core.runtime.tensorrt_api import TensorRT, TensorRTError, TensorRTOutOfMemory
from cups_core.runtime.tensorrt_cuda import CudaError, gpu
from cups_core.runtime.tensorrt_progress import BuildProgress

from .small_graphs import HEIGHT, WIDTH, write_cascade
from .stand_in_machine import StandInMachine

VERSIONS = ("10.3.0", "10.16.1", "11.4.0.106")


def quiet() -> BuildProgress:
    return BuildProgress(lambda phase, percent: None)


def changed(model: Path, **attributes: str) -> Path:
    graph = onnx.load(model)
    for name, value in attributes.items():
        setattr(graph.graph.node[0], name, value)
    onnx.save(graph, model)
    return model


@pytest.mark.parametrize("version", VERSIONS)
def test_a_graph_is_built_strongly_typed_and_loads(
    version: str, machine: StandInMachine, tmp_path: Path
) -> None:
    machine.become(STAND_IN_TENSORRT=version)
    gpu()
    library = TensorRT()
    assert library.version == version
    graph = library.read_graph(write_cascade(tmp_path))
    plan = graph.build(quiet(), 64, keep_float32=True)
    # Among the calls: no flag of 10 on 11.
    assert machine.tensorrt.calls == ["WORKSPACE 64 MiB", "TACTIC_DRAM 64 MiB", "clear TF32"]
    engine = library.load(plan)
    assert engine.tensors == graph.tensors
    assert engine.tensors.inputs["image"].shape == (1, 3, HEIGHT, WIDTH)
    assert {name: found.dtype for name, found in engine.tensors.outputs.items()} == {
        "boxes": "float32",
        "scores": "float32",
        "labels": "int32",
        "masks": "float32",
        "semantic": "float32",
    }
    engine.close()


def test_reduced_precisions_keep_what_the_builder_does_by_itself(
    machine: StandInMachine, tmp_path: Path
) -> None:
    gpu()
    TensorRT().read_graph(write_cascade(tmp_path)).build(quiet(), 0, keep_float32=False)
    assert machine.tensorrt.calls == []


def test_each_error_of_the_parser_is_told_with_its_node(
    machine: StandInMachine, tmp_path: Path
) -> None:
    gpu()
    model = changed(write_cascade(tmp_path), op_type="Celu", name="/head/celu")
    with pytest.raises(TensorRTError, match=r"node 0 '/head/celu' \(Celu\): No importer"):
        TensorRT().read_graph(model)


def test_plugins_are_loaded_before_a_graph_with_roi_align_is_read(
    machine: StandInMachine, tmp_path: Path
) -> None:
    gpu()
    assert TensorRT().read_graph(changed(write_cascade(tmp_path), op_type="RoiAlign")).tensors


def test_a_shape_that_is_not_fixed_is_refused(machine: StandInMachine, tmp_path: Path) -> None:
    gpu()
    model = write_cascade(tmp_path)
    graph = onnx.load(model)
    graph.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(graph, model)
    with pytest.raises(TensorRTError, match=r"image has the shape \(1, 3, -1, 128\).*fixed"):
        TensorRT().read_graph(model)


def test_too_little_memory_is_told_as_such(machine: StandInMachine, tmp_path: Path) -> None:
    gpu()
    graph = TensorRT().read_graph(write_cascade(tmp_path))
    with pytest.raises(TensorRTOutOfMemory, match="cannot build the engine: .*OutOfMemory"):
        graph.build(quiet(), 1, keep_float32=True)


def test_a_build_stops_when_nobody_listens_any_more(
    machine: StandInMachine, tmp_path: Path
) -> None:
    def gone(phase: str, percent: float) -> None:
        if percent > 20:
            raise BrokenPipeError

    gpu()
    graph = TensorRT().read_graph(write_cascade(tmp_path))
    with pytest.raises(TensorRTError, match="cancelled"):
        graph.build(BuildProgress(gone), 0, keep_float32=True)


@pytest.mark.parametrize("version", ["8.6.1", "10.2.0"])
def test_an_old_version_is_passed_over(version: str, machine: StandInMachine) -> None:
    machine.become(STAND_IN_TENSORRT=version)
    with pytest.raises(BackendUnavailable, match=rf"10.3 or later is needed, {version} is"):
        TensorRT()


def test_a_machine_without_tensorrt_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendUnavailable, match=r"tensorrt.*pip install tensorrt.*JetPack"):
        TensorRT()


def test_a_machine_without_a_gpu_says_so(machine: StandInMachine) -> None:
    machine.become(STAND_IN_GPU="")
    with pytest.raises(CudaError, match="no CUDA-capable device is detected"):
        gpu()


def test_addresses_are_needed_before_a_run(machine: StandInMachine, tmp_path: Path) -> None:
    gpu()
    library = TensorRT()
    plan = library.read_graph(write_cascade(tmp_path)).build(quiet(), 0, keep_float32=True)
    engine = library.load(plan)
    with pytest.raises(TensorRTError, match="no address is set for boxes, image, labels"):
        engine.enqueue(0)
    with pytest.raises(TensorRTError, match="does not take the address of colour"):
        engine.set_address("colour", 0)
    engine.close()
