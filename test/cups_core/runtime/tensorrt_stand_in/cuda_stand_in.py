"""A stand-in for libcuda.so.1 that refuses what the driver refuses, for tests without a GPU.

Work of a stream runs when somebody waits for it, not before: whoever forgets to wait sees nothing.
Misuse that would crash or corrupt a real process raises `Misuse`.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

LIBRARY = "libcuda.so.1"
OUT_OF_MEMORY, NOT_INITIALIZED, NO_DEVICE, INVALID_VALUE = 2, 3, 100, 1
INVALID_CONTEXT, INVALID_HANDLE, ILLEGAL_ADDRESS = 201, 400, 700
CAPTURE_UNSUPPORTED, CAPTURE_INVALIDATED = 900, 901
WORDS = {
    OUT_OF_MEMORY: b"out of memory",
    NOT_INITIALIZED: b"initialization error",
    NO_DEVICE: b"no CUDA-capable device is detected",
    INVALID_CONTEXT: b"invalid device context",
    INVALID_HANDLE: b"invalid resource handle",
    ILLEGAL_ADDRESS: b"an illegal memory access was encountered",
    CAPTURE_UNSUPPORTED: b"operation not permitted when stream is capturing",
}
# Bytes of each argument, as cuda.h declares them on 64-bit Linux.
SIZES = {
    "cuInit": (4,),
    "cuGetErrorString": (4, 8),
    "cuDeviceGet": (8, 4),
    "cuDeviceGetName": (8, 4, 4),
    "cuDeviceGetAttribute": (8, 4, 4),
    "cuDevicePrimaryCtxRetain": (8, 4),
    "cuCtxSetCurrent": (8,),
    "cuMemGetInfo_v2": (8, 8),
    "cuMemAlloc_v2": (8, 8),
    "cuMemFree_v2": (8,),
    "cuMemAllocHost_v2": (8, 8),
    "cuMemFreeHost": (8,),
    "cuMemcpyHtoDAsync_v2": (8, 8, 8, 8),
    "cuMemcpyDtoHAsync_v2": (8, 8, 8, 8),
    "cuStreamCreate": (8, 4),
    "cuStreamSynchronize": (8,),
    "cuStreamDestroy_v2": (8,),
    "cuStreamBeginCapture_v2": (8, 4),
    "cuStreamEndCapture": (8, 8),
    "cuGraphInstantiateWithFlags": (8, 8, 8),
    "cuGraphDestroy": (8,),
    "cuGraphLaunch": (8, 8),
    "cuGraphExecDestroy": (8,),
}
NEED_NO_CONTEXT = {
    "cuInit",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuCtxSetCurrent",
}
CONTEXT = 0x5555_0000_1000
FIRST_ADDRESS = 0x7F12_0000_0000  # does not fit 32 bits
ALIGNMENT = 256
Work = Callable[[], None]


class Misuse(AssertionError):
    """What would crash or corrupt a real process."""


class IllegalAddress(Exception):
    """Work on the GPU touched memory that is not there."""


class Function:
    """One function of the library, called through its declared types as ctypes does."""

    def __init__(self, driver: Driver, name: str) -> None:
        self.driver, self.name, self.argtypes = driver, name, None

    def __call__(self, *arguments: Any) -> int:
        if self.argtypes is None:
            raise Misuse(f"{self.name} was called without argument types: 64-bit pointers are cut")
        if tuple(ctypes.sizeof(kind) for kind in self.argtypes) != SIZES[self.name]:
            raise Misuse(f"{self.name} has other argument types than {self.argtypes}")
        if len(arguments) != len(self.argtypes):
            raise Misuse(f"{self.name} takes {len(self.argtypes)} arguments")
        for kind, argument in zip(self.argtypes, arguments, strict=True):
            kind.from_param(argument)
        return self.driver.call(self.name, arguments)


class Stream:
    """Work that waits, or is being recorded."""

    def __init__(self) -> None:
        self.work: list[Work] = []
        self.recorded: list[Work] | None = None
        self.is_invalid = False

    def add(self, work: Work) -> None:
        (self.work if self.recorded is None else self.recorded).append(work)


class Driver:
    """The library's state: one GPU."""

    def __init__(self) -> None:
        self.gpu = os.environ.get("STAND_IN_GPU", "NVIDIA Stand-in")
        self.capability = os.environ.get("STAND_IN_CAPABILITY", "8.7")
        self.memory_bytes = int(os.environ.get("STAND_IN_GPU_MIB", "1024")) << 20
        self.is_initialized = False
        self.current = threading.local()
        self.memory: dict[int, bytearray] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, Stream] = {}
        self.graphs: dict[int, list[Work]] = {}
        self.executables: dict[int, list[Work]] = {}
        self.next_handle = FIRST_ADDRESS
        self.calls: Counter[str] = Counter()
        self.failures: dict[str, int] = {}
        self.functions = {name: Function(self, name) for name in SIZES}

    def __getattr__(self, name: str) -> Function:
        try:
            return self.functions[name]
        except KeyError:
            raise AttributeError(f"{LIBRARY}: undefined symbol: {name}") from None

    def call(self, name: str, arguments: tuple[Any, ...]) -> int:
        """Run a function; `failures` holds codes that functions answer from now on."""
        self.calls[name] += 1
        if name in self.failures:
            return self.failures[name]
        if name not in NEED_NO_CONTEXT and getattr(self.current, "context", None) != CONTEXT:
            return INVALID_CONTEXT
        if name not in ("cuInit", "cuGetErrorString") and not self.is_initialized:
            return NOT_INITIALIZED
        return getattr(self, f"_{name}")(*arguments) or 0

    def left(self) -> dict[str, int]:
        """What was not given back."""
        kinds = {
            "device memory": self.memory,
            "streams": self.streams,
            "graphs": self.graphs,
            "executable graphs": self.executables,
        }
        return {kind: len(held) for kind, held in kinds.items() if held}

    def free_bytes(self) -> int:
        return self.memory_bytes - sum(map(len, self.memory.values()))

    def view(self, address: int, size: int) -> memoryview:
        """Bytes of the GPU."""
        for start, content in self.memory.items():
            if start <= address and address + size <= start + len(content):
                return memoryview(content)[address - start : address - start + size]
        raise IllegalAddress(f"{size} bytes at {address:#x}")

    def allocate(self, size: int) -> int | None:
        if size > self.free_bytes():
            return None
        address = self._handle(size)
        self.memory[address] = bytearray(size)
        return address

    def _handle(self, size: int = 1) -> int:
        handle = self.next_handle
        self.next_handle += -(-size // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        return handle

    def _is_recording(self) -> bool:
        return any(stream.recorded is not None for stream in self.streams.values())

    def _cuInit(self, flags: int) -> int:
        self.is_initialized = bool(self.gpu)
        return 0 if self.gpu else NO_DEVICE

    def _cuGetErrorString(self, code: int, words: Any) -> int:
        words._obj.value = WORDS.get(code)
        return 0 if code in WORDS else INVALID_VALUE

    def _cuDeviceGet(self, device: Any, index: int) -> None:
        device._obj.value = index

    def _cuDeviceGetName(self, words: Any, size: int, device: Any) -> None:
        words.value = self.gpu.encode()[: size - 1]

    def _cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        parts = dict(zip((75, 76), self.capability.split("."), strict=True))
        if attribute not in parts:
            return INVALID_VALUE
        value._obj.value = int(parts[attribute])
        return 0

    def _cuDevicePrimaryCtxRetain(self, context: Any, device: Any) -> None:
        context._obj.value = CONTEXT

    def _cuCtxSetCurrent(self, context: Any) -> int:
        self.current.context = _number(context)
        return 0 if self.current.context == CONTEXT else INVALID_CONTEXT

    def _cuMemGetInfo_v2(self, free: Any, total: Any) -> None:
        free._obj.value, total._obj.value = self.free_bytes(), self.memory_bytes

    def _cuMemAlloc_v2(self, pointer: Any, size: int) -> int:
        if self._is_recording():
            return CAPTURE_UNSUPPORTED
        address = self.allocate(size)
        if address is None:
            return OUT_OF_MEMORY
        pointer._obj.value = address
        return 0

    def _cuMemFree_v2(self, pointer: Any) -> int:
        if self.memory.pop(_number(pointer), None) is None:
            raise Misuse(f"device memory {_number(pointer):#x} is freed, and was not held")
        return 0

    def _cuMemAllocHost_v2(self, pointer: Any, size: int) -> None:
        content = ctypes.create_string_buffer(b"\xff" * size, size)  # NaN: nobody has written
        pointer._obj.value = ctypes.addressof(content)
        self.pinned[pointer._obj.value] = content

    def _cuMemFreeHost(self, pointer: Any) -> None:
        if self.pinned.pop(_number(pointer), None) is None:
            raise Misuse("pinned memory is freed, and was not held")

    def _cuMemcpyHtoDAsync_v2(self, target: Any, source: Any, size: int, stream: Any) -> int:
        host, device = self._host(source, size), _number(target)
        self.view(device, size)

        def work() -> None:
            self.view(device, size)[:] = ctypes.string_at(host, size)

        return self._add(stream, work)

    def _cuMemcpyDtoHAsync_v2(self, target: Any, source: Any, size: int, stream: Any) -> int:
        host, device = self._host(target, size), _number(source)
        self.view(device, size)

        def work() -> None:
            ctypes.memmove(self._host(host, size), bytes(self.view(device, size)), size)

        return self._add(stream, work)

    def _host(self, pointer: Any, size: int) -> int:
        address = _number(pointer)
        for start, content in self.pinned.items():
            if start <= address and address + size <= start + len(content):
                return address
        raise Misuse(
            f"{size} bytes at {address:#x} of the host are not pinned: the copy would wait"
        )

    def _add(self, stream: Any, work: Work) -> int:
        if _number(stream) not in self.streams:
            return INVALID_HANDLE
        self.streams[_number(stream)].add(work)
        return 0

    def _cuStreamCreate(self, stream: Any, flags: int) -> None:
        stream._obj.value = self._handle()
        self.streams[stream._obj.value] = Stream()

    def _cuStreamSynchronize(self, stream: Any) -> int:
        found = self.streams.get(_number(stream))
        if found is None:
            return INVALID_HANDLE
        if found.recorded is not None:
            found.is_invalid = True
            return CAPTURE_UNSUPPORTED
        work, found.work = found.work, []
        try:
            for step in work:
                step()
        except IllegalAddress:
            return ILLEGAL_ADDRESS
        return 0

    def _cuStreamDestroy_v2(self, stream: Any) -> int:
        return 0 if self.streams.pop(_number(stream), None) else INVALID_HANDLE

    def _cuStreamBeginCapture_v2(self, stream: Any, mode: int) -> int:
        found = self.streams.get(_number(stream))
        if found is None:
            return INVALID_HANDLE
        if found.recorded is not None:
            return INVALID_VALUE
        found.recorded, found.is_invalid = [], False
        return 0

    def _cuStreamEndCapture(self, stream: Any, graph: Any) -> int:
        found = self.streams[_number(stream)]
        if found.recorded is None:
            return INVALID_VALUE
        recorded, found.recorded = found.recorded, None
        if found.is_invalid:
            return CAPTURE_INVALIDATED
        graph._obj.value = self._handle()
        self.graphs[graph._obj.value] = recorded
        return 0

    def _cuGraphInstantiateWithFlags(self, executable: Any, graph: Any, flags: int) -> int:
        if _number(graph) not in self.graphs:
            return INVALID_HANDLE
        executable._obj.value = self._handle()
        self.executables[executable._obj.value] = list(self.graphs[_number(graph)])
        return 0

    def _cuGraphDestroy(self, graph: Any) -> int:
        return INVALID_HANDLE if self.graphs.pop(_number(graph), None) is None else 0

    def _cuGraphLaunch(self, executable: Any, stream: Any) -> int:
        if _number(executable) not in self.executables or _number(stream) not in self.streams:
            return INVALID_HANDLE
        for work in self.executables[_number(executable)]:
            self.streams[_number(stream)].add(work)
        return 0

    def _cuGraphExecDestroy(self, executable: Any) -> int:
        return INVALID_HANDLE if self.executables.pop(_number(executable), None) is None else 0


def _number(value: Any) -> int:
    return (value if isinstance(value, int) else value.value) or 0


driver = Driver()
_RealCDLL = ctypes.CDLL


class CDLL(_RealCDLL):
    """ctypes.CDLL, but the driver's library is the stand-in."""

    def __new__(cls, name: str | None, *arguments: Any, **options: Any) -> Any:
        return driver if name == LIBRARY else super().__new__(cls)


def install() -> None:
    """For the rest of the process."""
    ctypes.CDLL = CDLL  # type: ignore[misc]
