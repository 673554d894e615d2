"""Measures `cups label`: frames per second and memory over a long drive.

    python -m benchmark.labelling [--recipe fast] [--workers 2] [--frames 240] [--drive FOLDER]

A drive (a synthetic one of 1280x640 unless one of a dataset is given) is played forward and
backward until it is as long as asked for, then labelled in a process of its own. Memory is that of
the process and its workers together, without what they share counted twice where the system tells.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmark.table import Row, print_rows
from cups_core.settings import make_settings
from cups_training.dataset.drive import Drive
from cups_training.synthetic.dataset import write_drive
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.whole_files import write_json_lines

SYNTHETIC = {"width": 1280, "height": 640, "frames": 40}
SEED = 7
INTERVAL_NS = 100_000_000
# Asking the system for shared memory takes tens of milliseconds of a core.
SAMPLING_S = 3.0
MEBIBYTE = 2**20
SCRIPT = """
import sys
from cups_training.cli import main
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def main() -> None:
    """Make the long drive, label it, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--drive", type=Path, help="folder of a drive of a dataset")
    parser.add_argument("--set", action="append", default=[], help="as of `cups label`")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        drive = Drive(options.drive or synthetic_drive(folder))
        prolong(drive, folder / "dataset/drives/long", options.frames)
        figures = measure(folder / "dataset", options)
    size = f"{drive.rig.width}x{drive.rig.height}"
    title = f"recipe {options.recipe}, {options.workers} workers, {size}, {options.frames} frames"
    print_rows({title: [figures]}, options.json)


def synthetic_drive(folder: Path) -> Path:
    """A street with moving cars and walkers."""
    drive = SyntheticDrive(make_settings(DriveSettings, SYNTHETIC), SEED)
    write_drive(drive, "short", folder)
    return folder / "drives/short"


def prolong(drive: Drive, folder: Path, frames: int) -> None:
    """Write a drive that goes through another one forward and backward; pictures are links."""
    there_and_back = [*range(len(drive)), *range(len(drive) - 2, 0, -1)]
    for side in ("left", "right"):
        (folder / side).mkdir(parents=True)
    rows = []
    for number in range(frames):
        source = drive.stamps_ns[there_and_back[number % len(there_and_back)]]
        stamp_ns = drive.stamps_ns[0] + number * INTERVAL_NS
        for side in ("left", "right"):
            (folder / side / f"{stamp_ns}.png").symlink_to(
                (drive.path / side / f"{source}.png").resolve()
            )
        rows.append({"stamp_ns": stamp_ns})
    (folder / "calibration.json").write_bytes((drive.path / "calibration.json").read_bytes())
    write_json_lines(folder / "frames.jsonl", rows)


def measure(dataset: Path, options: argparse.Namespace) -> Row:
    """Label the dataset and watch the processes."""
    arguments = ["label", str(dataset), "--recipe", options.recipe, "--json"]
    arguments += ["--workers", str(options.workers)]
    for word in options.set:
        arguments += ["--set", word]
    with tempfile.TemporaryFile("w+") as printed:
        start, before = time.monotonic(), processor_s()
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments], stdout=printed, env={**os.environ}
        )
        memory = [(when - start, size) for when, size in watch(process)]
        took = time.monotonic() - start
        printed.seek(0)
        summary = json.loads(printed.read() or "{}")
    if process.returncode not in (0, 1) or not summary:
        raise SystemExit("cups label failed: see its output above")
    clips = sorted(path.stat().st_mtime for path in (dataset / "labels").rglob("clips/long/*.json"))
    thirds = [max((m for t, m in memory if i <= 3 * t / took < i + 1), default=0) for i in range(3)]
    return {
        "frames/s, all": options.frames / took,
        "frames/s, clips": rate_between(clips, options.frames, options.workers),
        "processor s per frame": (processor_s() - before) / options.frames,
        "peak MiB": max(size for _, size in memory),
        "peak of the thirds": " ".join(f"{size:.0f}" for size in thirds),
        "labelled %": 100 * summary["labelled"] / summary["frames"],
        "masks": summary["masks"],
    }


def processor_s() -> float:
    """Processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rate_between(finished_s: list[float], frames: int, workers: int) -> float:
    """Frames per second once everything is loaded: each worker's first clip is left out."""
    if len(finished_s) <= workers:
        return float("nan")
    share = (len(finished_s) - workers) / len(finished_s)
    return frames * share / (finished_s[-1] - finished_s[workers - 1])


def watch(process: subprocess.Popen[bytes]) -> Iterator[tuple[float, float]]:
    """Time and memory (MiB) of a process and its children until it ends."""
    root = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for one in [root, *root.children(recursive=True)]:
            try:
                total += one.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        yield time.monotonic(), total / MEBIBYTE
        time.sleep(SAMPLING_S)


if __name__ == "__main__":
    main()
