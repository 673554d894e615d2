"""The few CUDA calls that running an engine takes, made to the driver's own library.

The TensorRT backend calls it. The driver's library is on every machine with an NVIDIA GPU, under
one name whatever the CUDA version, Jetsons included: no package has to fit the toolkit.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Callable
from contextlib import suppress
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CupsError

LIBRARY = "libcuda.so.1"
OUT_OF_MEMORY = 2
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
NAME_BYTES = 256
OWN_STREAM = 1
"""A stream that does not wait for the default one."""
CAPTURE_THIS_THREAD = 1
MIB = 1 << 20

# From cuda.h; a device pointer is 64 bits wide, contexts, streams and graphs are host pointers.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuMemGetInfo_v2": (POINTER(c_size_t), POINTER(c_size_t)),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemAllocHost_v2": (POINTER(c_void_p), c_size_t),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_uint64),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
}


class CudaError(CupsError):
    """The driver refused a call, or there is no driver or GPU."""


class OutOfGpuMemory(CudaError):
    """The GPU has less memory left than was asked for."""


class Gpu:
    """The first GPU that CUDA shows; CUDA_VISIBLE_DEVICES chooses another.

    Its primary context is the one that TensorRT uses too, and stays until the process ends.

    Attributes:
        name: of the model.
        compute_capability: such as "8.7".

    Raises:
        CudaError: there is no driver or no GPU.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as problem:
            raise CudaError(f"no NVIDIA driver ({problem})") from problem
        for name, arguments in ARGUMENTS.items():
            getattr(self._library, name).argtypes = arguments
        self.call("cuInit", 0)
        device = c_int()
        self.call("cuDeviceGet", byref(device), 0)
        words = ctypes.create_string_buffer(NAME_BYTES)
        self.call("cuDeviceGetName", words, NAME_BYTES, device)
        self.name = words.value.decode()
        numbers = []
        for attribute in (CAPABILITY_MAJOR, CAPABILITY_MINOR):
            value = c_int()
            self.call("cuDeviceGetAttribute", byref(value), attribute, device)
            numbers.append(str(value.value))
        self.compute_capability = ".".join(numbers)
        self._context = c_void_p()
        self.call("cuDevicePrimaryCtxRetain", byref(self._context), device)
        self.enter()

    def enter(self) -> None:
        """Make the context that of this thread: each thread that makes calls needs it."""
        self.call("cuCtxSetCurrent", self._context)

    def free_mib(self) -> int:
        """Memory that is left, MiB."""
        free, total = c_size_t(), c_size_t()
        self.call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value // MIB

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Memory of the host that the GPU reads and writes itself.

        It is given back when the last view of it is gone, so none can dangle.

        Raises:
            OutOfGpuMemory: the host has none left to pin.
        """
        size = max(int(np.prod(shape)) * dtype.itemsize, 1)
        pointer = c_void_p()
        self.call("cuMemAllocHost_v2", byref(pointer), size)
        memory = (ctypes.c_char * size).from_address(pointer.value or 0)
        weakref.finalize(memory, self._library.cuMemFreeHost, pointer).atexit = False
        return np.ndarray(shape, dtype, memory)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver.

        Raises:
            OutOfGpuMemory: memory ran out.
            CudaError: another refusal.
        """
        code = getattr(self._library, name)(*arguments)
        if code == 0:
            return
        words = c_char_p()
        self._library.cuGetErrorString(code, byref(words))
        reason = (words.value or b"unknown error").decode()
        error = OutOfGpuMemory if code == OUT_OF_MEMORY else CudaError
        raise error(f"{name}: {reason} (CUDA error {code})")


@functools.cache
def gpu() -> Gpu:
    """The GPU of this process; a failure is not remembered.

    Raises:
        CudaError: there is none.
    """
    return Gpu()


class DeviceMemory:
    """Bytes on the GPU at one address.

    Raises:
        OutOfGpuMemory: it has not so many left; the message says how many.
    """

    def __init__(self, device: Gpu, size: int) -> None:
        self._device, self._pointer = device, c_uint64()
        try:
            device.call("cuMemAlloc_v2", byref(self._pointer), max(size, 1))
        except OutOfGpuMemory as problem:
            raise OutOfGpuMemory(
                f"{size / MIB:.1f} MiB asked for, {device.free_mib()} MiB left: {problem}"
            ) from problem

    @property
    def address(self) -> int:
        """On the GPU."""
        return self._pointer.value

    def close(self) -> None:
        """Give it back."""
        self._device.call("cuMemFree_v2", self._pointer)


class Stream:
    """Work for the GPU in its order, and a recording of it that starts with one call."""

    def __init__(self, device: Gpu) -> None:
        self._device, self._stream, self._graph = device, c_void_p(), c_void_p()
        device.call("cuStreamCreate", byref(self._stream), OWN_STREAM)

    @property
    def handle(self) -> int:
        """What TensorRT takes."""
        return self._stream.value or 0

    def copy_in(self, memory: DeviceMemory, host: NDArray[Any]) -> None:
        """From pinned memory to the GPU."""
        self._device.call(
            "cuMemcpyHtoDAsync_v2", memory.address, host.ctypes.data, host.nbytes, self._stream
        )

    def copy_out(self, host: NDArray[Any], memory: DeviceMemory) -> None:
        """From the GPU to pinned memory; it is there after `wait`."""
        self._device.call(
            "cuMemcpyDtoHAsync_v2", host.ctypes.data, memory.address, host.nbytes, self._stream
        )

    def wait(self) -> None:
        """Until all work is done; errors of the work come out here."""
        self._device.call("cuStreamSynchronize", self._stream)

    def record(self, work: Callable[[], None]) -> None:
        """Keep what `work` enqueues, as a CUDA graph; it does not run meanwhile.

        Raises:
            CupsError: something in it cannot be recorded.
        """
        self._device.call("cuStreamBeginCapture_v2", self._stream, CAPTURE_THIS_THREAD)
        try:
            work()
        except CupsError:
            # A stream left in capture refuses all that follows; `work` said what is wrong with it.
            with suppress(CudaError):
                self._device.call("cuGraphDestroy", self._end())
            raise
        recorded, graph = self._end(), c_void_p()
        try:
            self._device.call("cuGraphInstantiateWithFlags", byref(graph), recorded, 0)
        finally:
            self._device.call("cuGraphDestroy", recorded)
        self._graph = graph

    def _end(self) -> c_void_p:
        recorded = c_void_p()
        self._device.call("cuStreamEndCapture", self._stream, byref(recorded))
        return recorded

    def replay(self) -> None:
        """Enqueue what was recorded."""
        self._device.call("cuGraphLaunch", self._graph, self._stream)

    def close(self) -> None:
        """Give stream and recording back."""
        if self._graph:
            self._device.call("cuGraphExecDestroy", self._graph)
        self._device.call("cuStreamDestroy_v2", self._stream)
