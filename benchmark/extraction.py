"""Measures extraction: pairs per second, CPU time, memory, encoders, and that kills leave no trace.

    python -m benchmark.extraction [--bag BAG] [--pairs 400] [--kills 20] [--only NAME ...]

Pictures are those of a recorded or a synthetic drive at 640x480, since noise and plain areas say
nothing about encoders. Bags are read once before, so that the disk's cache is warm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from benchmark.table import Row, print_rows
from cups_core.image_decoding import decode_compressed, decode_raw
from cups_core.recording.recording import open_recording
from cups_core.recording.stereo_topics import COMPRESSED, propose
from cups_training.png import encode_png
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

WIDTH, HEIGHT = 640, 480
FOCAL_PX, BASELINE_M = 500.0, 0.4
PERIOD_NS = 33_333_333
REPEATS = 3
COMMAND = "import sys; from cups_training.cli import main; sys.exit(main(sys.argv[1:]))"
# The largest resident size since Python began: that of wait4 counts the benchmark's own as well.
TELLING_COMMAND = """
import os, sys
from cups_training.cli import main
code = main(sys.argv[1:])
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
open(os.environ["TOLD"], "w").write(lines["VmHWM"].split()[0])
sys.exit(code)
"""

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bag", type=Path, help="pictures of this bag instead of synthetic ones")
    parser.add_argument("--pairs", type=int, default=400, help="in the bags that are made")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=tuple(MEASURES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pictures = recorded_pictures(options.bag) if options.bag else synthetic_pictures()
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            title: measure(pictures, Path(folder), options)
            for title, measure in MEASURES.items()
            if title in options.only
        }
    print_rows(tables, options.json)


def synthetic_pictures() -> list[Pair]:
    """Pairs of a synthetic drive."""
    drive = SyntheticDrive(DriveSettings(frames=20, width=WIDTH, height=HEIGHT), seed=4)
    return [(frame.left, frame.right) for frame in map(drive.frame, range(len(drive)))]


def recorded_pictures(bag: Path) -> list[Pair]:
    """Pairs of a bag, the middle of each picture at 640x480."""
    sides: dict[str, list[NDArray[np.uint8]]] = {}
    with open_recording([bag]) as recording:
        topics = propose(recording.topics.values())[0]
        for message in recording.messages({topics.left_image, topics.right_image}):
            decode = decode_compressed if message.type_name == COMPRESSED else decode_raw
            found = decode(recording.decoded(message), message.topic)
            sides.setdefault(message.topic, []).append(_middle(found))
    return list(zip(sides[topics.left_image], sides[topics.right_image], strict=False))


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rgb = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    width = min(rgb.shape[1], rgb.shape[0] * WIDTH // HEIGHT)
    left = (rgb.shape[1] - width) // 2
    cut = rgb[:, left : left + width]
    return np.asarray(cv2.resize(cut, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def write_bag(path: Path, pictures: Sequence[Pair], pairs: int, suffix: str = "") -> Path:
    """A bag of so many pairs: raw, or compressed as `suffix`; the pictures come round again."""
    store = get_typestore(Stores.ROS2_KILTED)
    types = store.types
    kind = "CompressedImage" if suffix else "Image"
    files = [[_encoded(side, suffix) for side in pair] for pair in pictures] if suffix else []
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {
            (side, what): writer.add_connection(
                f"/rig/{side}/{leaf}", f"sensor_msgs/msg/{name}", typestore=store
            )
            for side in ("left", "right")
            for what, leaf, name in (
                ("image", "image_rect/compressed" if suffix else "image_rect", kind),
                ("info", "camera_info", "CameraInfo"),
            )
        }
        for number in range(pairs):
            stamp = 1_700_000_000_000_000_000 + number * PERIOD_NS
            time_of = types["builtin_interfaces/msg/Time"](*divmod(stamp, 1_000_000_000))
            header = types["std_msgs/msg/Header"](time_of, "left")
            for place, side in enumerate(("left", "right")):
                if suffix:
                    data = files[number % len(files)][place]
                    content = types["sensor_msgs/msg/CompressedImage"](header, suffix[1:], data)
                else:
                    pixels = pictures[number % len(pictures)][place].reshape(-1)
                    content = types["sensor_msgs/msg/Image"](
                        header, HEIGHT, WIDTH, "rgb8", 0, 3 * WIDTH, pixels
                    )
                for what, message in (("info", _info(types, header, place)), ("image", content)):
                    raw = store.serialize_cdr(message, message.__msgtype__)
                    writer.write(topics[side, what], stamp, raw)
    return path


def _encoded(picture: NDArray[np.uint8], suffix: str) -> NDArray[np.uint8]:
    return cv2.imencode(suffix, picture[..., ::-1])[1].reshape(-1)


def _info(types: Any, header: Any, place: int) -> Any:
    K = [FOCAL_PX, 0, WIDTH / 2, 0, FOCAL_PX, HEIGHT / 2, 0, 0, 1]
    P = [FOCAL_PX, 0, WIDTH / 2, -place * FOCAL_PX * BASELINE_M]
    P += [0, FOCAL_PX, HEIGHT / 2, 0, 0, 0, 1, 0]
    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    matrices = (np.zeros(5), np.array(K), np.eye(3).ravel(), np.array(P))
    return types["sensor_msgs/msg/CameraInfo"](
        header, HEIGHT, WIDTH, "plumb_bob", *matrices, 0, 0, roi
    )


def throughput(pictures: Sequence[Pair], folder: Path, options: argparse.Namespace) -> list[Row]:
    """Pairs per second of the whole command, without the start of Python."""
    cases: dict[str, tuple[str, int, tuple[str, ...]]] = {
        "raw to PNG, measured": ("", 1, ()),
        "raw to PNG, not measured": ("", 1, ("--set", "measure=false")),
        "raw to PNG, one thread": ("", 1, ("--workers", "1")),
        "JPEG passes, measured": (".jpg", 2, ()),
        "JPEG passes, not measured": (".jpg", 5, ("--set", "measure=false")),
        "PNG passes, not measured": (".png", 2, ("--set", "measure=false")),
        "JPEG to PNG, measured": (".jpg", 1, ("--set", "format=png")),
    }
    rows: list[Row] = []
    for title, (suffix, times, arguments) in cases.items():
        pairs = options.pairs * times
        bag = folder / f"throughput{suffix}{times}"
        if not bag.exists():
            write_bag(bag, pictures, pairs, suffix)
        runs = [_run(bag, folder / "out", arguments) for _ in range(REPEATS)]
        empty = [_run(write_once(folder, pictures, suffix), folder / "out", arguments)]
        wall = min(run["wall_s"] for run in runs) - empty[0]["wall_s"]
        cpu = min(run["cpu_s"] for run in runs) - empty[0]["cpu_s"]
        rows.append(
            {
                "what": title,
                "pairs": pairs,
                "pairs/s": pairs / wall,
                "CPU ms/pair": 1e3 * cpu / pairs,
                "pairs/s at 2 cores": 2 * pairs / cpu,
                "MB": max(run["memory_mb"] for run in runs),
            }
        )
    return rows


def write_once(folder: Path, pictures: Sequence[Pair], suffix: str) -> Path:
    """A bag of two pairs: what it takes is the start of Python and of the threads."""
    bag = folder / f"two{suffix}"
    return bag if bag.exists() else write_bag(bag, pictures, 2, suffix)


def _run(bag: Path, target: Path, arguments: Sequence[str]) -> dict[str, float]:
    """One run of the command: wall time, CPU time, resident memory."""
    subprocess.run(["rm", "-rf", str(target)], check=True)
    before = time.perf_counter()
    with tempfile.NamedTemporaryFile("r") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", TELLING_COMMAND, "extract", bag, target, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TOLD": told.name},
        )
        _, status, used = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 3):
            raise SystemExit(f"extraction of {bag} failed")
        memory_kb = int(told.read())
    return {
        "wall_s": time.perf_counter() - before,
        "cpu_s": used.ru_utime + used.ru_stime,
        "memory_mb": memory_kb / 1024,
    }


def workers(pictures: Sequence[Pair], folder: Path, options: argparse.Namespace) -> list[Row]:
    """Encoding in threads and in processes, to which pictures have to be copied."""
    work = [picture for pair in pictures for picture in pair] * 8
    rows: list[Row] = []
    pools: dict[str, Executor | None] = {
        "here": None,
        "2 threads": ThreadPoolExecutor(2),
        "2 processes": ProcessPoolExecutor(2),
    }
    for title, pool in pools.items():
        run = map if pool is None else pool.map
        list(run(encode_png, work[:8]))
        best = float("inf")
        for _ in range(REPEATS):
            before = time.perf_counter()
            size = sum(map(len, run(encode_png, work)))
            best = min(best, time.perf_counter() - before)
        rows.append({"where": title, "pairs/s": len(work) / 2 / best, "kB": size / len(work) / 1e3})
        if pool is not None:
            pool.shutdown()
    return rows


def memory(pictures: Sequence[Pair], folder: Path, options: argparse.Namespace) -> list[Row]:
    """Resident memory over bags of different length."""
    rows: list[Row] = []
    for suffix, title in (("", "raw"), (".jpg", "JPEG")):
        for times in (1, 4) if not suffix else (5, 50):
            pairs = options.pairs * times
            bag = write_bag(folder / f"memory{suffix}{times}", pictures, pairs, suffix)
            size = sum(file.stat().st_size for file in bag.iterdir()) / 1e9
            run = _run(bag, folder / "out", ())
            rows.append(
                {"images": title, "pairs": pairs, "bag GB": size, "resident MB": run["memory_mb"]}
            )
            subprocess.run(["rm", "-rf", str(bag), str(folder / "out")], check=True)
    return rows


def encoders(pictures: Sequence[Pair], folder: Path, options: argparse.Namespace) -> list[Row]:
    """CPU time and size of one picture, whatever can write it without loss."""
    cv2.setNumThreads(1)
    found = [picture for pair in pictures[:: max(1, len(pictures) // 8)] for picture in pair]
    ways: dict[str, Callable[[NDArray[np.uint8]], int]] = {
        "own PNG (chosen)": lambda picture: len(encode_png(picture)),
        "OpenCV PNG, default": lambda picture: _opencv(picture, ".png"),
    }
    for level in (1, 3, 6):
        for name in ("DEFAULT", "FILTERED", "HUFFMAN_ONLY", "RLE"):
            words = [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_STRATEGY]
            words.append(getattr(cv2, f"IMWRITE_PNG_STRATEGY_{name}"))
            ways[f"OpenCV PNG {level} {name.lower()}"] = _opencv_way(".png", words)
    for name in ("SUB", "UP", "PAETH"):
        words = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY]
        words += [cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
        words.append(getattr(cv2, f"IMWRITE_PNG_FILTER_{name}"))
        ways[f"OpenCV PNG 1 rle, {name.lower()}"] = _opencv_way(".png", words)
    ways["OpenCV WebP, lossless"] = _opencv_way(".webp", [cv2.IMWRITE_WEBP_QUALITY, 101])
    ways |= _other_ways()
    rows: list[Row] = []
    for title, way in ways.items():
        way(found[0])
        best, size = float("inf"), 0
        for _ in range(1 if "WebP" in title else REPEATS):
            before = time.process_time()
            size = sum(map(way, found))
            best = min(best, (time.process_time() - before) / len(found))
        rows.append(
            {
                "encoder": title,
                "CPU ms": 1e3 * best,
                "pairs/s a core": 0.5 / best,
                "kB": size / len(found) / 1e3,
            }
        )
    return rows


def _opencv(picture: NDArray[np.uint8], suffix: str, words: Sequence[int] = ()) -> int:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return int(cv2.imencode(suffix, bgr, list(words))[1].size)


def _opencv_way(suffix: str, words: Sequence[int]) -> Callable[[NDArray[np.uint8]], int]:
    return lambda picture: _opencv(picture, suffix, words)


def _other_ways() -> dict[str, Callable[[NDArray[np.uint8]], int]]:
    """Encoders that are no dependency, where they are installed."""
    try:
        import imagecodecs
    except ImportError:
        return {}
    return {
        "imagecodecs PNG 1 rle, paeth": lambda picture: len(
            imagecodecs.png_encode(picture, level=1, strategy=3, filter=128)
        ),
        "imagecodecs WebP, lossless 0": lambda picture: len(
            imagecodecs.webp_encode(picture, lossless=True, method=0, level=0)
        ),
    }


def kills(pictures: Sequence[Pair], folder: Path, options: argparse.Namespace) -> list[Row]:
    """Killed at random moments again and again: does it end with the same bytes?"""
    bag = write_bag(folder / "kills", pictures, options.pairs)
    _run(bag, folder / "undisturbed", ())
    expected = _digest(folder / "undisturbed")
    started = time.perf_counter()
    _run(bag, folder / "out", ())
    whole_s = time.perf_counter() - started
    subprocess.run(["rm", "-rf", str(folder / "out")], check=True)
    early = 0
    for _ in range(options.kills):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "extract", bag, folder / "out"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(random.uniform(0.3, 1.0) * whole_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            early += 1
        if random.random() < 0.3:
            subprocess.run(["rm", "-rf", str(folder / "out")], check=True)
    _run_on(bag, folder / "out")
    return [
        {
            "kills": early,
            "runs": options.kills,
            "same bytes": str(_digest(folder / "out") == expected),
        }
    ]


def _run_on(bag: Path, target: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "extract", bag, target]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(json.dumps(str(path.relative_to(folder))).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


MEASURES: dict[str, Callable[[Sequence[Pair], Path, argparse.Namespace], list[Row]]] = {
    "encoders": encoders,
    "throughput": throughput,
    "workers": workers,
    "memory": memory,
    "kills": kills,
}

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
