"""Runs one function over many tasks: here, in worker processes, or on a Ray cluster.

Both phases of labelling hand their tasks to it; results come as they are finished, in any order.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2
import numba
from threadpoolctl import threadpool_limits

from cups_core.errors import CupsError

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerError(CupsError):
    """A worker could not be started or died."""


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS, OpenCV and Numba keep to one thread: workers share the cores, sums keep their order."""
    before = cv2.getNumThreads(), numba.get_num_threads()
    cv2.setNumThreads(1)
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before[0])
        numba.set_num_threads(before[1])


def run_in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Results of all tasks; with one worker or one task everything happens in this process.

    Raises:
        WorkerError: a worker process died.
        CupsError: whatever `function` raises; tasks that have not started are given up.
    """
    if min(workers, len(tasks)) <= 1:
        for task in tasks:
            with one_thread():
                result = function(task)
            yield result
        return
    # Fresh interpreters: forked ones inherit locks and thread pools in whatever state they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker) as pool:
        futures = [pool.submit(function, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as problem:
            raise WorkerError(
                "a worker process died, most likely for lack of memory; run the same command "
                "again with fewer --workers: it goes on where it stopped"
            ) from problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    # Libraries that are loaded later (PyTorch) read it then.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    numba.set_num_threads(1)
    threadpool_limits(1)


def run_on_ray(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    """Results of all tasks from the Ray cluster that RAY_ADDRESS names, or a local one.

    All machines must see the dataset under the same path.

    Raises:
        WorkerError: Ray is not installed, or a worker died.
        CupsError: whatever `function` raises.
    """
    try:
        import ray
    except ImportError as problem:
        raise WorkerError(
            "--executor ray needs Ray, which is not installed: pip install 'cups-ros[cluster]'"
        ) from problem
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR")
    remote = ray.remote(num_cpus=1)(_with_one_thread)
    waiting = [remote.remote(function, task) for task in tasks]
    try:
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            yield ray.get(done[0])
    except ray.exceptions.RayTaskError as problem:
        # What the function itself raised, as if it had run here.
        raise problem.cause from problem
    except ray.exceptions.RayError as problem:
        raise WorkerError(
            f"a Ray worker failed: {problem}; run the same command again: it goes on where it "
            "stopped"
        ) from problem
    finally:
        for reference in waiting:
            ray.cancel(reference)


def _with_one_thread(function: Callable[[Task], Result], task: Task) -> Result:
    with one_thread():
        return function(task)
