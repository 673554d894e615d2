"""Runs a function over a stream in threads: results in the order of the stream, memory bounded.

OpenCV and the compiled kernels let go of Python's lock, so threads use all cores without copying
pictures between processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cups_training.labelling.executors import one_thread

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_AHEAD = 3
"""Tasks that wait for each worker: enough that none is idle, few enough for large pictures."""


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    """Results of all tasks; the stream is read only a little ahead of them.

    Args:
        function: what is done with each task.
        tasks: read in the calling thread.
        workers: number of threads.
    """
    waiting: deque[Future[Result]] = deque()
    with one_thread(), ThreadPoolExecutor(workers) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(function, task))
                if len(waiting) > workers * TASKS_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
