"""A file ends where a commit ended, whatever the disk does (its limit is a simulated full disk)."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cups_ros.committed_file import CommittedFile


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size`: a write there fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CommittedFile]:
    found = CommittedFile(tmp_path / "file")
    yield found
    found.close()


def test_only_commits_reach_the_disk(file: CommittedFile) -> None:
    file.write(b"one")
    assert (file.path.read_bytes(), file.size, file.tell()) == (b"", 0, 3)
    file.commit()
    file.write(b"two")
    assert (file.path.read_bytes(), file.size, file.tell()) == (b"one", 3, 6)
    file.commit()
    file.sync()
    assert file.path.read_bytes() == b"onetwo"


def test_what_does_not_fit_waits_and_nothing_of_it_is_left(file: CommittedFile) -> None:
    file.write(b"a" * 1000)
    file.commit()
    file.write(b"b" * 500)
    file.write(b"c" * 5000)
    with largest_file(4000):
        for _ in range(2):
            with pytest.raises(OSError, match="File too large"):
                file.commit()
            assert file.path.stat().st_size == file.size == 1000
    file.commit()
    assert file.path.read_bytes() == b"a" * 1000 + b"b" * 500 + b"c" * 5000


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        CommittedFile(tmp_path / "file")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.one_of(st.binary(max_size=300), st.integers(0, 2000), st.just(None)), max_size=40
    )
)
def test_any_order_of_writes_and_failing_commits_ends_with_all_bytes(
    steps: list[bytes | int | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = CommittedFile(tmp_path_factory.mktemp("any") / "file")
    given_bytes = b""

    def commit(limited: Callable[[], None]) -> None:
        before = file.size
        try:
            limited()
        except OSError:
            assert file.size == before
        assert file.path.read_bytes() == given_bytes[: file.size]

    for step in steps:
        if isinstance(step, bytes):
            file.write(step)
            given_bytes += step
        elif step is None:
            commit(file.commit)
        else:
            with largest_file(step):
                commit(file.commit)
    file.commit()
    assert file.path.read_bytes() == given_bytes
    file.close()
