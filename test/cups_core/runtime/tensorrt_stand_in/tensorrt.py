"""A stand-in for TensorRT's Python API, 10.3 or 11, for tests without a GPU.

It refuses wrong order and wrong types as the real one does, and runs graphs with ONNX Runtime, so
that results are real. Which version it is: STAND_IN_TENSORRT in the environment.
"""

from __future__ import annotations

import enum
import json
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import cuda_stand_in
import numpy as np
import onnx
import onnxruntime
from cuda_stand_in import ALIGNMENT, Misuse, driver

__version__ = os.environ.get("STAND_IN_TENSORRT", "10.3.0")
MAJOR = int(__version__.split(".")[0])
MAGIC = b"ptrt"
STEPS = 4
SCRATCH_BYTES = 3 << 20
WORKSPACE_BYTES = 8 << 20
SHARED_OPERATORS = {"Conv", "Identity", "Relu", "Cast", "RoiAlign", "Add"}
calls: list[str] = []
"""What was called that tests ask for, with arguments."""
_plugins_are_loaded = False


class DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, BOOL, INT64 = "f4", "f2", "i1", "i4", "?", "i8"


class TensorIOMode(enum.Enum):
    NONE, INPUT, OUTPUT = range(3)


class MemoryPoolType(enum.Enum):
    WORKSPACE, TACTIC_DRAM = range(2)


# 11 keeps the flag for old code and ignores it; it has no flags for number types any more.
class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1 if MAJOR < 11 else 0


BuilderFlag = enum.Enum("BuilderFlag", ["TF32"] + (["FP16", "INT8"] if MAJOR < 11 else []))


class _Bound:
    """A class of the C++ library that Python may extend: its own constructor must run."""

    def __init__(self) -> None:
        self._is_bound = True


def _check_bound(value: Any, kind: type) -> None:
    if not isinstance(value, kind) or not getattr(value, "_is_bound", False):
        raise TypeError(f"incompatible function arguments: expected {kind.__name__}, got {value!r}")


class ILogger(_Bound):
    class Severity(enum.Enum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class IProgressMonitor(_Bound):
    pass


def _error(logger: Any, message: str) -> None:
    logger.log(ILogger.Severity.ERROR, message)


def init_libnvinfer_plugins(logger: Any, namespace: str) -> bool:
    global _plugins_are_loaded
    _check_bound(logger, ILogger)
    _plugins_are_loaded = True
    return True


class _Tensor:
    def __init__(self, info: onnx.ValueInfoProto) -> None:
        kind = info.type.tensor_type
        self.name = info.name
        self.shape = tuple(
            size.dim_value if size.HasField("dim_value") else -1 for size in kind.shape.dim
        )
        self.dtype = DataType(
            onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).str.lstrip("<|b")
            if kind.elem_type != onnx.TensorProto.BOOL
            else "?"
        )


class _Network:
    def __init__(self, builder: Builder, flags: int) -> None:
        typed = 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        self.is_strongly_typed = MAJOR >= 11 or bool(flags & typed)
        self.builder, self.content = builder, b""
        self.inputs: list[_Tensor] = []
        self.outputs: list[_Tensor] = []
        self.parser: Any = lambda: None

    num_inputs = property(lambda self: len(self.inputs))
    num_outputs = property(lambda self: len(self.outputs))

    def get_input(self, index: int) -> _Tensor:
        return self.inputs[index]

    def get_output(self, index: int) -> _Tensor:
        return self.outputs[index]


class _Config:
    def __init__(self) -> None:
        self._limits: dict[MemoryPoolType, int] = {}
        self._flags = {BuilderFlag.TF32}
        self._monitor: Any = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        if not isinstance(pool, MemoryPoolType) or type(pool_size) is not int:
            raise TypeError("set_memory_pool_limit(): incompatible function arguments")
        self._limits[pool] = pool_size
        calls.append(f"{pool.name} {pool_size >> 20} MiB")

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(BuilderFlag(flag))
        calls.append(f"clear {flag.name}")

    def set_flag(self, flag: Any) -> None:
        self._flags.add(BuilderFlag(flag))

    @property
    def progress_monitor(self) -> Any:
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: Any) -> None:
        _check_bound(monitor, IProgressMonitor)
        self._monitor = monitor


class _HostMemory(bytes):
    nbytes = property(len)


class Builder:
    def __init__(self, logger: Any) -> None:
        _check_bound(logger, ILogger)
        if not driver.is_initialized:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self.logger = logger

    def create_network(self, flags: int = 0) -> _Network:
        if MAJOR >= 11 and flags:
            calls.append("deprecated flags of create_network")
        return _Network(self, flags)

    def create_builder_config(self) -> _Config:
        return _Config()

    def build_serialized_network(self, network: _Network, config: _Config) -> _HostMemory | None:
        if network.builder is not self:
            raise Misuse("a network is built by the builder that made it")
        if network.parser() is None:
            raise Misuse("the parser owns the network's weights, and is gone")
        if not network.is_strongly_typed:
            raise Misuse("weakly typed: TensorRT would choose number types by itself")
        if config._flags - {BuilderFlag.TF32}:
            _error(self.logger, "flags of number types do not go with a strongly typed network")
            return None
        if not network.outputs:
            _error(self.logger, "Network must have at least one output")
            return None
        if config._limits.get(MemoryPoolType.WORKSPACE, driver.free_bytes()) < WORKSPACE_BYTES:
            _error(self.logger, "Error Code 2: OutOfMemory (Requested size was 8388608 bytes.)")
            return None
        if not _told_of_progress(config._monitor):
            _error(self.logger, "Error Code 4: the build was cancelled by the progress monitor")
            return None
        header = json.dumps([__version__, driver.gpu, driver.capability]).encode()
        return _HostMemory(MAGIC + len(header).to_bytes(4, "little") + header + network.content)


def _told_of_progress(monitor: Any) -> bool:
    """Phases and steps from another thread, as the real build does; False = stop."""
    seconds = float(os.environ.get("STAND_IN_BUILD_S", "0"))
    if os.environ.get("STAND_IN_BUILD_KILLED"):
        os.kill(os.getpid(), 9)
    goes_on = [True]

    def told(function: Any, *arguments: Any) -> bool:
        try:
            return function(*arguments) is not False
        except OSError:  # the binding prints exceptions, and takes them for "stop"
            return False

    def work() -> None:
        told(monitor.phase_start, "Building Engine", None, 2)
        told(monitor.phase_start, "Timing kernels", "Building Engine", STEPS)
        for step in range(STEPS):
            time.sleep(seconds / STEPS)
            goes_on[0] = told(monitor.step_complete, "Timing kernels", step)
            if not goes_on[0]:
                break
        told(monitor.phase_finish, "Timing kernels")
        told(monitor.phase_finish, "Building Engine")

    if monitor is not None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    return goes_on[0]


class _ParserError:
    def __init__(self, index: int, node: onnx.NodeProto | None, words: str) -> None:
        self._index, self._node, self._words = index, node, words

    def desc(self) -> str:
        return self._words

    def node(self) -> int:
        return self._index

    def node_name(self) -> str:
        return self._node.name if self._node else ""

    def node_operator(self) -> str:
        return self._node.op_type if self._node else ""


class OnnxParser:
    def __init__(self, network: _Network, logger: Any) -> None:
        if not isinstance(network, _Network):
            raise TypeError("incompatible constructor arguments")
        _check_bound(logger, ILogger)
        self._network, self._logger, self._errors = network, logger, []
        network.parser = weakref.ref(self)

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index: int) -> _ParserError:
        return self._errors[index]

    def parse_from_file(self, model: str) -> bool:
        if not isinstance(model, str):
            raise TypeError(f"parse_from_file(): expected str, got {type(model).__name__}")
        content = Path(model).read_bytes()
        try:
            found = onnx.load_from_string(content)
        except Exception:  # noqa: BLE001 - protobuf's errors have no base of their own
            self._errors = [_ParserError(-1, None, "Failed to parse ONNX model")]
            return False
        self._errors = [
            _ParserError(index, node, f"No importer registered for op: {node.op_type}")
            for index, node in enumerate(found.graph.node)
            if node.op_type not in SHARED_OPERATORS
            or (node.op_type == "RoiAlign" and not _plugins_are_loaded)
        ]
        if self._errors:
            _error(self._logger, "In node: the parser's errors say it again")
            return False
        self._network.content = content
        self._network.inputs = [_Tensor(item) for item in found.graph.input]
        self._network.outputs = [_Tensor(item) for item in found.graph.output]
        return True


class Runtime:
    def __init__(self, logger: Any) -> None:
        _check_bound(logger, ILogger)
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> _Engine | None:
        memoryview(serialized_engine)
        if not serialized_engine.startswith(MAGIC):
            raise Misuse("bytes that are no engine reached TensorRT")
        length = int.from_bytes(serialized_engine[4:8], "little")
        header, content = serialized_engine[8 : 8 + length], serialized_engine[8 + length :]
        if json.loads(header) != [__version__, driver.gpu, driver.capability]:
            raise Misuse(f"an engine of {header!r} reached TensorRT {__version__} on {driver.gpu}")
        if len(content) > driver.free_bytes():
            _error(self._logger, "Error Code 2: OutOfMemory (no room for the weights)")
            return None
        return _Engine(self, content)


class _Engine:
    def __init__(self, runtime: Runtime, content: bytes) -> None:
        self._logger, self._runtime = runtime._logger, runtime  # kept alive, as by pybind
        graph = onnx.load_from_string(content).graph
        self._inputs = {item.name: _Tensor(item) for item in graph.input}
        self._outputs = {item.name: _Tensor(item) for item in graph.output}
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.device_memory_size_v2 = SCRATCH_BYTES
        if MAJOR < 11:
            self.device_memory_size = SCRATCH_BYTES

    num_io_tensors = property(lambda self: len(self._inputs) + len(self._outputs))

    def get_tensor_name(self, index: int) -> str:
        return [*self._inputs, *self._outputs][index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self._inputs | self._outputs)[name].shape

    def get_tensor_dtype(self, name: str) -> DataType:
        return (self._inputs | self._outputs)[name].dtype

    def create_execution_context(self) -> _Context | None:
        address = driver.allocate(SCRATCH_BYTES)
        if address is None:
            _error(self._logger, f"Error Code 2: OutOfMemory ({SCRATCH_BYTES} bytes)")
            return None
        return _Context(self, address)


class _Context:
    def __init__(self, engine: _Engine, scratch: int) -> None:
        self._engine, self._addresses, self._has_run = engine, {}, False
        weakref.finalize(self, driver.memory.pop, scratch)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if not isinstance(name, str) or type(memory) is not int:
            raise TypeError("set_tensor_address(): incompatible function arguments")
        tensor = (self._engine._inputs | self._engine._outputs).get(name)
        if tensor is None or memory % ALIGNMENT:
            _error(self._engine._logger, f"Error Code 3: {name} at {memory:#x} is invalid")
            return False
        driver.view(memory, _bytes(tensor))
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        if type(stream_handle) is not int:
            raise TypeError("execute_async_v3(): incompatible function arguments")
        logger, engine = self._engine._logger, self._engine
        lacking = {*engine._inputs, *engine._outputs} - self._addresses.keys()
        if lacking:
            _error(logger, f"Error Code 3: no address is set for {', '.join(sorted(lacking))}")
            return False
        stream = driver.streams.get(stream_handle)
        if stream is None:
            raise Misuse("execute_async_v3 got a stream that does not exist")
        if stream.recorded is not None and not self._has_run:
            _error(logger, "Error Code 1: the first enqueue allocates, and cannot be recorded")
            stream.is_invalid = True
            return False
        if stream.recorded is not None and os.environ.get("STAND_IN_NO_GRAPH"):
            _error(logger, "Error Code 1: the engine has a loop, and cannot be recorded")
            stream.is_invalid = True
            return False
        self._has_run = True
        context = weakref.ref(self)

        def work() -> None:
            alive = context()
            if alive is None:
                raise Misuse("work runs after its execution context is gone")
            alive._run()

        stream.add(work)
        return True

    def _run(self) -> None:
        engine = self._engine
        images = {
            name: np.frombuffer(
                driver.view(self._addresses[name], _bytes(tensor)), tensor.dtype.value
            ).reshape(tensor.shape)
            for name, tensor in engine._inputs.items()
        }
        for name, found in zip(
            engine._outputs, engine._session.run(list(engine._outputs), images), strict=True
        ):
            driver.view(self._addresses[name], found.nbytes)[:] = found.tobytes()


def _bytes(tensor: _Tensor) -> int:
    return int(np.prod(tensor.shape)) * np.dtype(tensor.dtype.value).itemsize


assert cuda_stand_in.driver is driver
