"""The queue takes all in order while there is room, and tells what it refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cups_ros.queued_worker import QueuedWorker


def test_everything_is_done_in_order_before_it_stops() -> None:
    done: list[int] = []
    worker = QueuedWorker("test", done.append, 1000)
    for number in range(500):
        worker.put(number)
    assert worker.stop(30)
    assert done == list(range(500))
    assert worker.refused == 0


def test_what_finds_the_queue_full_is_refused_and_counted() -> None:
    started, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def work(number: int) -> None:
        started.set()
        go_on.wait(30)
        done.append(number)

    worker = QueuedWorker("test", work, 2)
    worker.put(0)
    assert started.wait(30)
    for number in range(1, 6):
        worker.put(number)
    go_on.set()
    assert worker.stop(30)
    assert done == [0, 1, 2]
    assert worker.refused == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_ends_the_thread_and_is_told() -> None:
    def work(item: Any) -> None:
        raise ValueError("a mistake")

    worker = QueuedWorker("harvest", work, 2)
    worker.check()
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "harvest")
    worker.put(1)
    thread.join(30)
    with pytest.raises(RuntimeError, match="the worker 'harvest' ended by the error"):
        worker.check()
