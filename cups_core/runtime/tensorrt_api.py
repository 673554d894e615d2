"""TensorRT's Python API, 10.3 and later and 11: read a graph, build an engine, load and run one.

The engine build and the TensorRT backend call it; nothing else in the project touches TensorRT.
Networks are strongly typed: the number types are those of the graph, no flag of the builder lowers
them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_core.errors import CupsError
from cups_core.runtime.backend import BackendUnavailable, optional_package
from cups_core.runtime.graph_check import TensorType
from cups_core.runtime.tensorrt_progress import BuildProgress

LOGGER = logging.getLogger(__name__)
OLDEST = (10, 3)
ALWAYS_STRONGLY_TYPED = 11
"""From this version on there is no other kind of network, and the flag is deprecated."""
MIB = 1 << 20
MOST_ERRORS = 20
INSTALLATION = (
    "pip install tensorrt (needs NVIDIA's package index), on a Jetson the system package of JetPack"
)
DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
"""NumPy's names of TensorRT's; those that NumPy lacks stay as they are."""


class TensorRTError(CupsError):
    """TensorRT refuses a graph or an engine, or fails to run one; the message has its words."""


class TensorRTOutOfMemory(TensorRTError):
    """TensorRT ran out of memory."""


@dataclass(frozen=True)
class GraphTensors:
    """Inputs and outputs of a graph or an engine, by name."""

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]


class TensorRT:
    """The library, with its plugins loaded and its messages collected.

    Attributes:
        version: of the library.

    Raises:
        BackendUnavailable: it is missing, broken or too old.
    """

    def __init__(self) -> None:
        self._library = optional_package("tensorrt", INSTALLATION)
        self.version: str = self._library.__version__
        self._major, minor = (int(number) for number in self.version.split(".")[:2])
        if (self._major, minor) < OLDEST:
            raise BackendUnavailable(
                f"TensorRT {'.'.join(map(str, OLDEST))} or later is needed, {self.version} is "
                f"installed: {INSTALLATION}"
            )
        self._messages: list[str] = []
        self._logger = _logger(self._library, self._messages)
        # RoiAlign is a plugin; without this the parser does not find it.
        if not self._library.init_libnvinfer_plugins(self._logger, ""):
            raise BackendUnavailable(
                f"TensorRT {self.version}: its plugins do not load{self._words()}"
            )

    def read_graph(self, model: Path) -> Graph:
        """Parse an ONNX file.

        Raises:
            TensorRTError: it cannot be parsed, each error told; or a shape is not fixed.
        """
        return Graph(self, model)

    def load(self, plan: bytes) -> Engine:
        """Load an engine that this version built on this GPU.

        Raises:
            TensorRTError: TensorRT refuses it.
            TensorRTOutOfMemory: the GPU has no room for it.
        """
        return Engine(self, plan)

    def failure(self, what: str) -> TensorRTError:
        """The error that says `what` failed and what TensorRT said of it."""
        words = self._words()
        error = (
            TensorRTOutOfMemory
            if "out of memory" in words.lower() or "outofmemory" in words.lower()
            else TensorRTError
        )
        return error(f"TensorRT {self.version} {what}{words}")

    def _words(self) -> str:
        """What it complained of since this was last asked."""
        words = "; ".join(dict.fromkeys(self._messages))
        self._messages.clear()
        return f": {words}" if words else ", it does not say why"


class Graph:
    """A parsed graph, ready to be built.

    Attributes:
        tensors: its inputs and outputs.
    """

    def __init__(self, owner: TensorRT, model: Path) -> None:
        self._owner, self._library = owner, owner._library
        self._builder = self._library.Builder(owner._logger)
        flags = 0
        if owner._major < ALWAYS_STRONGLY_TYPED:
            flags = 1 << int(self._library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self._network = self._builder.create_network(flags)
        # The parser owns weights that the network refers to until it is built.
        self._parser = self._library.OnnxParser(self._network, owner._logger)
        if not self._parser.parse_from_file(str(model)):
            owner._words()  # the parser's own errors say the same, node by node
            raise TensorRTError(
                f"TensorRT {owner.version} cannot read {model}: {'; '.join(self._errors())}"
            )
        network = self._network
        self.tensors = GraphTensors(
            _described([network.get_input(index) for index in range(network.num_inputs)]),
            _described([network.get_output(index) for index in range(network.num_outputs)]),
        )
        for name, found in {**self.tensors.inputs, **self.tensors.outputs}.items():
            if any(not isinstance(size, int) or size < 0 for size in found.shape):
                raise TensorRTError(
                    f"{model}: {name} has the shape {found.shape}, -1 being free; export the model "
                    "with fixed shapes"
                )

    def build(self, progress: BuildProgress, memory_limit_mib: int, *, keep_float32: bool) -> bytes:
        """Build an engine; takes minutes.

        Args:
            progress: is told of each phase; what it raises stops the build.
            memory_limit_mib: for scratch memory and for trying kernels; 0 = no limit.
            keep_float32: do not round float32 to TF32 where the GPU could.

        Returns:
            The serialized engine.

        Raises:
            TensorRTError: the build failed.
            TensorRTOutOfMemory: it needs more memory than there is or than it may take.
        """
        library = self._library
        config = self._builder.create_builder_config()
        if memory_limit_mib:
            for pool in (library.MemoryPoolType.WORKSPACE, library.MemoryPoolType.TACTIC_DRAM):
                config.set_memory_pool_limit(pool, memory_limit_mib * MIB)
        if keep_float32:
            config.clear_flag(library.BuilderFlag.TF32)
        # Held here: TensorRT needs it as long as the configuration lives.
        monitor = _monitor(library, progress)
        config.progress_monitor = monitor
        plan = self._builder.build_serialized_network(self._network, config)
        if plan is None:
            raise self._owner.failure("cannot build the engine")
        return bytes(plan)

    def _errors(self) -> list[str]:
        count = self._parser.num_errors
        errors = [self._parser.get_error(index) for index in range(min(count, MOST_ERRORS))]
        words = [
            f"node {error.node()} {error.node_name()!r} ({error.node_operator()}): {error.desc()}"
            for error in errors
        ]
        return words + ([f"and {count - MOST_ERRORS} more"] if count > MOST_ERRORS else [])


class Engine:
    """An engine on the GPU with its execution context.

    Attributes:
        tensors: its inputs and outputs.
        memory_mib: what the context takes of the GPU for scratch.
    """

    def __init__(self, owner: TensorRT, plan: bytes) -> None:
        library = owner._library
        self._owner = owner
        # Freed in the reverse order: context, engine, runtime.
        self._runtime = library.Runtime(owner._logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise owner.failure("cannot load the engine")
        engine = self._engine
        inputs: dict[str, TensorType] = {}
        outputs: dict[str, TensorType] = {}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == library.TensorIOMode.INPUT
            (inputs if is_input else outputs)[name] = _type(
                engine.get_tensor_shape(name), engine.get_tensor_dtype(name)
            )
        self.tensors = GraphTensors(inputs, outputs)
        self.memory_mib = engine.device_memory_size_v2 // MIB
        self._context = engine.create_execution_context()
        if self._context is None:
            raise owner.failure(f"cannot make room for the engine ({self.memory_mib} MiB)")

    def set_address(self, name: str, address: int) -> None:
        """Say where an input or output lies on the GPU.

        Raises:
            TensorRTError: there is no such tensor, or it cannot lie there.
        """
        if not self._context.set_tensor_address(name, address):
            raise self._owner.failure(f"does not take the address of {name}")

    def enqueue(self, stream: int) -> None:
        """Run once, in a stream, when what was enqueued before is done.

        Raises:
            TensorRTError: it does not start.
        """
        if not self._context.execute_async_v3(stream):
            raise self._owner.failure("cannot run the engine")

    def close(self) -> None:
        """Give the GPU's memory back, in the order that TensorRT asks for."""
        del self._context, self._engine, self._runtime


def _described(tensors: list[Any]) -> Mapping[str, TensorType]:
    return {tensor.name: _type(tensor.shape, tensor.dtype) for tensor in tensors}


def _type(shape: Any, dtype: Any) -> TensorType:
    return TensorType(tuple(int(size) for size in shape), DTYPES.get(dtype.name, dtype.name))


def _logger(library: Any, messages: list[str]) -> Any:
    """A logger of TensorRT's kind that keeps errors and passes the rest to Python's logging."""
    severity = library.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
        severity.INFO: logging.INFO,
        severity.VERBOSE: logging.DEBUG,
    }

    class Logger(library.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, level: Any, message: str) -> None:
            if levels[level] == logging.ERROR:
                messages.append(" ".join(message.split()))
            # An error is raised or told by whoever asked; the log keeps it for a closer look.
            LOGGER.log(min(levels[level], logging.INFO), "TensorRT: %s", message)

    return Logger()


def _monitor(library: Any, progress: BuildProgress) -> Any:
    """A progress monitor of TensorRT's kind; the build calls it from several threads."""

    class Monitor(library.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            library.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.step(phase_name, step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
