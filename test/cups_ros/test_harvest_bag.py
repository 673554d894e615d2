"""Files of a harvest: readable by others, after a kill, before and after a full disk."""

from __future__ import annotations

import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader

from cups_ros.harvest_bag import BagSettings, BagWriteError, HarvestBag

from .harvest_writing import BURST, TOPICS, message

SETTINGS = {"free_reserve_gb": 0.0}


def write(bag: HarvestBag, first: int, last: int) -> None:
    for number in range(first, last):
        topic, data = message(number)
        bag.write(topic, number, data)


def salvaged(path: Path) -> list[Message]:
    """All messages before the place where a file was cut off."""
    found: list[Message] = []
    with path.open("rb") as stream:
        records = StreamReader(stream, validate_crcs=True).records
        while True:
            try:
                record = next(records)
            except (StopIteration, EndOfFile, struct.error):
                return found
            if isinstance(record, Message):
                found.append(record)


def recorded(folder: Path) -> list[Message]:
    """All messages of all files in the order of the files."""
    return [
        item for path in sorted(folder.glob("*/*.mcap"), key=file_number) for item in salvaged(path)
    ]


def write_until_refused(bag: HarvestBag) -> tuple[int, str]:
    """Bursts until a commit fails: the number of messages written and the complaint."""
    for first in range(0, 100 * BURST, BURST):
        write(bag, first, first + BURST)
        try:
            bag.commit()
        except BagWriteError as error:
            return first + BURST, str(error)
    raise AssertionError("the disk never was full")


def file_number(path: Path) -> int:
    """The place of a file in its bag."""
    return int(path.name.partition(".")[0].rpartition("_")[2])


def same(found: list[Message], first: int = 0) -> bool:
    return all(
        (item.log_time, item.data) == (number, message(number)[1])
        for number, item in enumerate(found, first)
    )


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A simulated full disk: no file of this process may grow beyond `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_a_finished_file_is_read_by_others_with_every_byte(
    tmp_path: Path, compression: str
) -> None:
    settings = BagSettings(folder=str(tmp_path / "new"), compression=compression, **SETTINGS)
    bag = HarvestBag(settings, {"harvest.budget_gb_per_hour": "5.0"})
    write(bag, 0, BURST)
    bag.commit()
    write(bag, BURST, 3 * BURST)
    bag.close()
    assert re.fullmatch(r"harvest_\d{8}T\d{6}Z", bag.path.name)
    path = bag.path / f"{bag.path.name}_0.mcap"
    assert set(bag.path.iterdir()) == {path, bag.path / "metadata.yaml"}
    with AnyReader([bag.path]) as reader:
        found = [(time, connection.topic, data) for connection, time, data in reader.messages()]
        types = {item.topic: item.msgtype for item in reader.connections}
    expected = [message(number) for number in range(3 * BURST)]
    assert [time for time, _, _ in found] == list(range(3 * BURST))
    assert [(topic, bytes(data)) for _, topic, data in found] == [
        (topic.name, data) for topic, data in expected
    ]
    assert types["/left/image_rect/compressed"] == "sensor_msgs/msg/CompressedImage"
    with path.open("rb") as stream:
        (metadata,) = make_reader(stream).iter_metadata()
    assert metadata.metadata == {"harvest.budget_gb_per_hour": "5.0"}
    assert bag.written_bytes == path.stat().st_size


def test_files_roll_over_by_size_and_each_stands_alone(tmp_path: Path) -> None:
    bag = HarvestBag(BagSettings(folder=str(tmp_path), file_size_mb=1.0, **SETTINGS), {})
    for first in range(0, 20 * BURST, BURST):
        write(bag, first, first + BURST)
        bag.commit()
    bag.close()
    files = sorted(bag.path.glob("*.mcap"))
    assert len(files) == bag.files > 2
    assert not bag.unfinished()
    assert sum(path.stat().st_size for path in files) == bag.written_bytes
    found = recorded(tmp_path)
    assert len(found) == 20 * BURST
    assert same(found)
    for path in files:
        with AnyReader([path]) as reader:
            assert reader.message_count % BURST == 0
    with AnyReader([bag.path]) as reader:
        assert reader.message_count == 20 * BURST
        assert (reader.start_time, reader.end_time) == (0, 20 * BURST)
        assert {item.topic: item.msgcount for item in reader.connections} == {
            topic.name: 20 * BURST // len(TOPICS) for topic in TOPICS
        }


def test_files_roll_over_by_time(tmp_path: Path) -> None:
    bag = HarvestBag(BagSettings(folder=str(tmp_path), file_duration_s=1.0, **SETTINGS), {})
    first = 0
    while bag.files < 3:
        write(bag, first, first + BURST)
        bag.commit()
        first += BURST
        time.sleep(0.2)
    bag.close()
    assert same(recorded(tmp_path))


def test_what_is_committed_is_synced_in_time_though_no_burst_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda number: (synced.append(number), real(number)))
    bag = HarvestBag(BagSettings(folder=str(tmp_path), sync_interval_s=0.3, **SETTINGS), {})
    write(bag, 0, BURST)
    bag.commit()
    assert not synced
    time.sleep(0.3)
    for _ in range(3):
        bag.tend()
    # Once is enough for what was committed once.
    assert len(synced) == 1
    bag.close()


def test_two_recordings_of_the_same_second_do_not_meet(tmp_path: Path) -> None:
    bags = [HarvestBag(BagSettings(folder=str(tmp_path), **SETTINGS), {}) for _ in range(3)]
    for bag in bags:
        write(bag, 0, BURST)
        bag.commit()
    assert len(bags[0].unfinished()) == 2
    for bag in bags:
        bag.close()
    assert len(list(tmp_path.glob("*/*.mcap"))) == 3
    assert not bags[0].unfinished()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BagWriteError, match="file/deep: the disk refuses .*bag.folder"):
        HarvestBag(BagSettings(folder=str(tmp_path / "file/deep")), {})


@pytest.mark.parametrize("seed", range(5))
def test_after_a_kill_everything_committed_can_be_read(tmp_path: Path, seed: int) -> None:
    program = [sys.executable, str(Path(__file__).with_name("harvest_writing.py")), str(tmp_path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    committed = 0
    # Then it is somewhere in the middle of making, compressing or writing a burst.
    for _ in range(int(np.random.default_rng(seed).integers(3, 40))):
        committed = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split("\n")
    process.wait(60)
    committed = max([committed, *(int(line) for line in rest[:-1])])
    found = recorded(tmp_path)
    assert len(found) >= committed > 0
    assert same(found)
    files = sorted(tmp_path.glob("*/*.mcap"), key=file_number)
    assert not any("unfinished" in path.name for path in files[:-1])
    # Its absence tells readers to look at the files themselves.
    assert not list(tmp_path.glob("*/metadata.yaml"))


def test_on_a_simulated_full_disk_it_stops_whole_and_goes_on_where_it_stopped(
    tmp_path: Path,
) -> None:
    bag = HarvestBag(BagSettings(folder=str(tmp_path), compression="none", **SETTINGS), {})
    with largest_file(1_500_000):
        written, complaint = write_until_refused(bag)
        assert "the disk refuses (File too large): make space" in complaint
        # The file is whole up to the burst before, and the burst that did not fit is kept.
        (path,) = bag.path.iterdir()
        assert path.stat().st_size == bag.written_bytes
        found = salvaged(path)
        assert len(found) == written - BURST
        assert same(found)
        with pytest.raises(BagWriteError):
            bag.require_space(0)
    bag.require_space(0)
    write(bag, written, written + BURST)
    bag.commit()
    bag.close()
    with AnyReader([bag.path]) as reader:
        assert [bytes(data) for _, _, data in reader.messages()] == [
            message(number)[1] for number in range(written + BURST)
        ]


def test_a_file_whose_index_does_not_fit_is_finished_later(tmp_path: Path) -> None:
    # As large as the same file without an index.
    other = HarvestBag(BagSettings(folder=str(tmp_path / "other"), **SETTINGS), {})
    write(other, 0, 20 * BURST)
    other.commit()
    folder = tmp_path / "new"
    bag = HarvestBag(BagSettings(folder=str(folder), file_size_mb=1.0, **SETTINGS), {})
    write(bag, 0, 20 * BURST)
    with largest_file(other.written_bytes + 10), pytest.raises(BagWriteError):
        bag.commit()
    (path,) = folder.glob("*/*.unfinished.mcap")
    assert len(salvaged(path)) == 20 * BURST
    bag.require_space(0)
    assert not list(folder.glob("*/*.unfinished.mcap"))
    write(bag, 20 * BURST, 21 * BURST)
    bag.close()
    other.close()
    assert len(list(bag.path.glob("*.mcap"))) == bag.files == 2
    found = recorded(folder)
    assert len(found) == 21 * BURST
    assert same(found)


def test_a_disk_that_stays_full_costs_the_last_burst_and_nothing_before_it(tmp_path: Path) -> None:
    bag = HarvestBag(BagSettings(folder=str(tmp_path), compression="none", **SETTINGS), {})
    write(bag, 0, BURST)
    bag.commit()
    write(bag, BURST, 2 * BURST)
    with largest_file(bag.written_bytes), pytest.raises(BagWriteError):
        bag.close()
    (path,) = tmp_path.glob("*/*.unfinished.mcap")
    found = salvaged(path)
    assert len(found) == BURST
    assert same(found)


def test_the_reserve_is_kept_free(tmp_path: Path) -> None:
    bag = HarvestBag(BagSettings(folder=str(tmp_path), free_reserve_gb=1e6), {})
    with pytest.raises(BagWriteError, match="GB are free, too little for 3 MB and a reserve of 10"):
        bag.require_space(3 * 10**6)
    # Coming back takes room for several bursts.
    with pytest.raises(BagWriteError, match="too little for 30 MB"):
        bag.require_space(3 * 10**6)
    assert not list(tmp_path.iterdir())


def test_a_small_disk_that_is_really_full(tmp_path: Path) -> None:
    program = Path(__file__).with_name("harvest_full_disk.py")
    # The mount lives and dies with this process.
    in_namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=3m tmpfs {tmp_path}"
    if subprocess.run([*in_namespace, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    found = subprocess.run(
        [*in_namespace, f"{mount} && exec {sys.executable} {program} {tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
