"""Compares writers of MCAP for the harvest: speed, size, and what a kill leaves readable.

    python -m benchmark.harvest_writing [--json]

Synthetic pictures of 640x480 are written in bursts of 8: raw ones for the speed, JPEG ones before
the kill, which comes after 20 bursts. `harvest` is the harvest bag (the `mcap` package with
commits), `rosbags` the writer of that package.
"""

from __future__ import annotations

import argparse
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from mcap.exceptions import EndOfFile
from mcap.records import Message
from mcap.stream_reader import StreamReader
from numpy.typing import NDArray
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from benchmark.table import Row, print_rows
from cups_core.settings import make_settings
from cups_ros.harvest_bag import BagSettings, HarvestBag
from cups_ros.harvest_file import RecordedTopic
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

BURST, BURSTS, KILLED_AFTER = 8, 40, 20
TYPE = "sensor_msgs/msg/Image"
REPEATS = 3
WRITERS = ("harvest none", "harvest lz4", "harvest zstd", "rosbags none", "rosbags zstd")

Write = Callable[[int, bytes], None]
Commit = Callable[[], None]


@contextmanager
def writing(writer: str, folder: Path) -> Iterator[tuple[Write, Commit]]:
    """How a writer takes a message and how it ends a burst."""
    name, compression = writer.split()
    if name == "harvest":
        bag = HarvestBag(
            BagSettings(folder=str(folder), compression=compression, free_reserve_gb=0.0), {}
        )
        topic = RecordedTopic("/left/image_rect", TYPE, "uint8[] data")
        yield (lambda time_ns, data: bag.write(topic, time_ns, data)), bag.commit
        bag.close()
        return
    output = Writer(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP)
    if compression == "zstd":
        output.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with output:
        store = get_typestore(Stores.ROS2_KILTED)
        connection = output.add_connection("/left/image_rect", TYPE, typestore=store)
        yield (lambda time_ns, data: output.write(connection, time_ns, data)), lambda: None


def pictures() -> list[NDArray[np.uint8]]:
    """The pictures of a burst."""
    size = {"width": 640, "height": 480, "frames": BURST}
    drive = SyntheticDrive(make_settings(DriveSettings, size), seed=7)
    return [drive.frame(index).left for index in range(BURST)]


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """The picture as a camera driver compresses it."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])


def write_bursts(writer: str, folder: Path, data: list[bytes], *, tell: bool) -> None:
    """Write all bursts; with `tell` say after each on standard output how many are done."""
    with writing(writer, folder) as (write, commit):
        for burst in range(BURSTS):
            for place, picture in enumerate(data):
                write(burst * BURST + place, picture)
            commit()
            if tell:
                print(burst + 1, flush=True)
                time.sleep(0.05)


def speed(writer: str, data: list[bytes]) -> dict[str, float]:
    """Megabytes of pictures per second of processor time and share of their size, best of n."""
    best, share = np.inf, 0.0
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            write_bursts(writer, Path(folder), data, tell=False)
            best = min(best, time.process_time() - start)
            written = sum(path.stat().st_size for path in Path(folder).rglob("*.mcap"))
        share = written / (BURSTS * sum(map(len, data)))
    return {"MB/s": BURSTS * sum(map(len, data)) / best / 1e6, "size %": 100 * share}


def after_kill(writer: str, pictures_file: Path) -> int:
    """Number of JPEG pictures that can be read when the writer is killed after some bursts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmark.harvest_writing", "--child", writer]
        process = subprocess.Popen(
            [*command, folder, str(pictures_file)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        while int(process.stdout.readline()) < KILLED_AFTER:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        return sum(readable(path) for path in Path(folder).rglob("*.mcap"))


def readable(path: Path) -> int:
    """Number of messages before the place where a file was cut off."""
    count = 0
    with path.open("rb") as stream:
        records = StreamReader(stream).records
        while True:
            try:
                count += isinstance(next(records), Message)
            except (StopIteration, EndOfFile, struct.error):
                return count


def main() -> None:
    """Measure all writers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.child:
        writer, folder, file = options.child
        jpegs = [jpeg(picture) for picture in np.load(file)]
        write_bursts(writer, Path(folder), jpegs, tell=True)
        return
    found_pictures = pictures()
    data = [picture.tobytes() for picture in found_pictures]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npy"
        np.save(file, np.array(found_pictures))
        for writer in WRITERS:
            found = after_kill(writer, file)
            rows.append(
                {"writer": writer, **speed(writer, data)}
                | {"readable after a kill": found, "of": KILLED_AFTER * BURST}
            )
    print_rows({"pictures of 640x480": rows}, options.json)


if __name__ == "__main__":
    main()
