"""The worker takes the newest item, counts those it skipped, and does not hide that it died."""

from __future__ import annotations

import threading

import pytest

from cups_ros.latest_worker import LatestWorker

PATIENCE_S = 10.0


def test_a_newer_item_replaces_the_one_that_waits() -> None:
    started, may_end, done = threading.Event(), threading.Event(), threading.Event()
    worked: list[int] = []

    def work(item: int) -> None:
        started.set()
        assert may_end.wait(PATIENCE_S)
        worked.append(item)
        if item == 3:
            done.set()

    worker = LatestWorker("test", work)
    worker.put(0)
    assert started.wait(PATIENCE_S)
    for item in (1, 2, 3):
        worker.put(item)
    may_end.set()
    assert done.wait(PATIENCE_S)
    assert worked == [0, 3]
    assert worker.replaced == 2
    assert worker.stop(PATIENCE_S)
    worker.check()


def test_stop_says_when_the_work_does_not_end() -> None:
    started, may_end = threading.Event(), threading.Event()

    def work(item: int) -> None:
        started.set()
        may_end.wait(PATIENCE_S)

    worker = LatestWorker("test", work)
    worker.put(0)
    assert started.wait(PATIENCE_S)
    assert not worker.stop(0.01)
    may_end.set()
    assert worker.stop(PATIENCE_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_in_the_work_is_told_by_check() -> None:
    worker = LatestWorker("test", lambda item: [][item])
    worker.check()
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "test")
    worker.put(0)
    thread.join(PATIENCE_S)
    with pytest.raises(RuntimeError, match="the worker 'test' ended by the error"):
        worker.check()
