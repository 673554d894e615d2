"""Measures the vehicle node: frames per second, latency, drops and memory over minutes.

    python -m benchmark.online [--rate 8] [--seconds 600] [--drive BAG_OR_FOLDER] [--cpus 0,1]

A drive (a synthetic one of 1280x640 unless one is given) is played again and again through the
real node in its own process. The figures are the node's own from /diagnostics; memory is its
resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from benchmark.processes import started
from cups_core.settings import make_settings
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_training.synthetic.bag import write_bag
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

SYNTHETIC = {"width": 1280, "height": 640, "frames": 40}
SYNTHETIC_RATE_HZ = 10.0
START_TIMEOUT_S = 120.0
SHOWN = ("rate [Hz]", "latency p50 [ms]", "latency p95 [ms]", "processing p50 [ms]")
MEBIBYTE = 2**20


def main() -> None:
    """Play, listen, print a line now and then and the sum at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=8.0, help="frames per second")
    parser.add_argument("--recorded-rate", type=float, default=SYNTHETIC_RATE_HZ)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--drive", type=Path, help="bag or picture folder instead of a synthetic drive"
    )
    parser.add_argument("--transport", choices=("raw", "compressed"), default="raw")
    parser.add_argument("--cpus", help="run on these processors only, such as 0,1")
    parser.add_argument("--json", action="store_true", help="print the sum as JSON")
    options = parser.parse_args()
    if options.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(",")})
    use_fastdds_profile()
    with tempfile.TemporaryDirectory() as folder:
        drive = options.drive or synthetic_drive(Path(folder))
        figures = measure(drive, options)
    print(
        json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items())
    )


def synthetic_drive(folder: Path) -> Path:
    """A street with moving cars and walkers as a bag."""
    drive = SyntheticDrive(make_settings(DriveSettings, SYNTHETIC), seed=7)
    write_bag(drive, folder / "drive", with_truth=False)
    return folder / "drive"


def measure(drive: Path, options: argparse.Namespace) -> dict[str, str]:
    """Play the drive for so many seconds after the node's first frame; the figures by name."""
    newest: list[dict[str, str]] = []

    def on_diagnostics(message: DiagnosticArray) -> None:
        newest[:] = [{item.key: item.value for item in message.status[0].values}]

    player = {
        "path": drive,
        "rate": options.rate / options.recorded_rate,
        "loop": True,
        "restamp": True,
        "wait_s": START_TIMEOUT_S,
    }
    with rclpy.init():
        node = Node("online_benchmark")
        node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
        labels = {"input.image_transport": options.transport}
        with (
            started("cups_ros.pseudo_label_node", labels) as process,
            started("cups_ros.drive_player", player),
        ):
            deadline = time.monotonic() + START_TIMEOUT_S
            while not newest or newest[0]["frames"] == "0":
                rclpy.spin_once(node, timeout_sec=0.5)
                if time.monotonic() > deadline:
                    raise SystemExit("the node has labelled nothing: see its output above")
            figures = watch(node, newest, psutil.Process(process.pid), options.seconds)
        node.destroy_node()
    return figures


def watch(
    node: Node, newest: list[dict[str, str]], process: psutil.Process, seconds: float
) -> dict[str, str]:
    """Listen for so many seconds."""
    start, frames_before = time.monotonic(), int(newest[0]["frames"])
    memory: list[float] = []
    processor_s = sum(process.cpu_times()[:2])
    for step in range(1, 11):
        while time.monotonic() < start + step * seconds / 10:
            rclpy.spin_once(node, timeout_sec=0.5)
        memory.append(process.memory_info().rss / MEBIBYTE)
        shown = ", ".join(f"{name} {newest[0][name]}" for name in SHOWN)
        print(
            f"{time.monotonic() - start:5.0f} s: {shown}, memory {memory[-1]:.0f} MiB", flush=True
        )
    took = time.monotonic() - start
    figures = {
        "labelled per second": f"{(int(newest[0]['frames']) - frames_before) / took:.2f}",
        "processors used": f"{(sum(process.cpu_times()[:2]) - processor_s) / took:.2f}",
        "memory growth, second half [MiB]": f"{memory[-1] - memory[4]:.1f}",
    }
    return figures | newest[0]


if __name__ == "__main__":
    main()
