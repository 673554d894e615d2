"""The stand-in refuses what the real TensorRT and the CUDA driver refuse: tests on it can fail."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_int, c_size_t, c_uint64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cups_core.runtime.tensorrt_cuda import DeviceMemory, Gpu, Stream, gpu

from .small_graphs import write_cascade
from .stand_in_machine import StandInMachine


def parsed(machine: StandInMachine, model: Path, flags: int) -> tuple[Any, Any, Any]:
    library = machine.tensorrt
    gpu()
    logger = library.ILogger()
    logger.log = lambda severity, message: None
    library.init_libnvinfer_plugins(logger, "")
    builder = library.Builder(logger)
    network = builder.create_network(flags)
    parser = library.OnnxParser(network, logger)
    assert parser.parse_from_file(str(model))
    return builder, network, parser


def test_a_weakly_typed_network_is_refused_on_10_and_cannot_be_made_on_11(
    machine: StandInMachine, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path)
    builder, network, parser = parsed(machine, model, 0)
    with pytest.raises(machine.cuda.Misuse, match="weakly typed"):
        builder.build_serialized_network(network, builder.create_builder_config())
    machine.become(STAND_IN_TENSORRT="11.0.0")
    builder, network, parser = parsed(machine, model, 0)
    assert builder.build_serialized_network(network, builder.create_builder_config())


def test_flags_of_number_types_do_not_go_with_strong_types_and_are_gone_on_11(
    machine: StandInMachine, tmp_path: Path
) -> None:
    library = machine.tensorrt
    builder, network, parser = parsed(machine, write_cascade(tmp_path), 2)
    config = builder.create_builder_config()
    config.set_flag(library.BuilderFlag.FP16)
    assert builder.build_serialized_network(network, config) is None
    machine.become(STAND_IN_TENSORRT="11.0.0")
    assert not hasattr(machine.tensorrt.BuilderFlag, "FP16")


def test_types_and_constructors_are_checked(machine: StandInMachine, tmp_path: Path) -> None:
    library = machine.tensorrt

    class Forgetful(library.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            """Without the constructor of the base."""

    gpu()
    with pytest.raises(TypeError, match="expected ILogger"):
        library.Builder(Forgetful())
    builder, network, parser = parsed(machine, write_cascade(tmp_path), 2)
    with pytest.raises(TypeError, match="expected str"):
        parser.parse_from_file(tmp_path)
    with pytest.raises(TypeError, match="expected IProgressMonitor"):
        builder.create_builder_config().progress_monitor = object()
    del parser
    with pytest.raises(machine.cuda.Misuse, match="parser owns"):
        builder.build_serialized_network(network, builder.create_builder_config())


def test_engines_of_others_must_not_reach_it(machine: StandInMachine, tmp_path: Path) -> None:
    builder, network, parser = parsed(machine, write_cascade(tmp_path), 2)
    plan = bytes(builder.build_serialized_network(network, builder.create_builder_config()))
    machine.become(STAND_IN_GPU="Other GPU")
    gpu()
    logger = machine.tensorrt.ILogger()
    with pytest.raises(machine.cuda.Misuse, match="Other GPU"):
        machine.tensorrt.Runtime(logger).deserialize_cuda_engine(plan)
    with pytest.raises(machine.cuda.Misuse, match="no engine"):
        machine.tensorrt.Runtime(logger).deserialize_cuda_engine(b"torn")


def test_a_builder_needs_a_gpu(machine: StandInMachine) -> None:
    with pytest.raises(TypeError, match="nullptr"):
        machine.tensorrt.Builder(machine.tensorrt.ILogger())


def buffers() -> tuple[Gpu, Stream, DeviceMemory, Any]:
    device = gpu()
    host = device.pinned((4,), np.dtype(np.float32))
    host[:] = 5
    return device, Stream(device), DeviceMemory(device, host.nbytes), host


def test_nothing_has_happened_before_somebody_waits(machine: StandInMachine) -> None:
    _, stream, memory, host = buffers()
    stream.copy_in(memory, host)
    stream.copy_out(host, memory)
    host[:] = 1
    stream.wait()
    assert host.tolist() == [1, 1, 1, 1]  # read when the work ran, not when it was enqueued
    stream.close()
    memory.close()


def test_memory_that_is_not_pinned_and_freed_memory_are_refused(machine: StandInMachine) -> None:
    _, stream, memory, host = buffers()
    with pytest.raises(machine.cuda.Misuse, match="not pinned"):
        stream.copy_in(memory, np.zeros(4, np.float32))
    memory.close()
    with pytest.raises(machine.cuda.IllegalAddress):
        stream.copy_in(memory, host)
    with pytest.raises(machine.cuda.Misuse, match="was not held"):
        memory.close()
    stream.close()


def test_pointers_of_32_bits_and_undeclared_calls_are_refused(machine: StandInMachine) -> None:
    library = ctypes.CDLL("libcuda.so.1")
    pointer = c_uint64()
    with pytest.raises(machine.cuda.Misuse, match="without argument types"):
        library.cuMemAlloc_v2(byref(pointer), 4)
    library.cuMemFree_v2.argtypes = (c_int,)
    with pytest.raises(machine.cuda.Misuse, match="other argument types"):
        library.cuMemFree_v2(0)
    library.cuMemAlloc_v2.argtypes = (POINTER(c_uint64), c_size_t)
    assert library.cuMemAlloc_v2(byref(pointer), 4) == 201  # no context in this thread
    with pytest.raises(AttributeError, match="undefined symbol: cuMemAlloc_v9"):
        library.cuMemAlloc_v9(0)


def test_a_stream_that_records_cannot_be_waited_for(machine: StandInMachine) -> None:
    device, stream, memory, _ = buffers()
    with pytest.raises(Exception, match="not permitted when stream is capturing"):
        stream.record(stream.wait)
    stream.wait()  # it is usable again
    stream.close()
    memory.close()
