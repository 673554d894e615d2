"""Measures the harvest node: processor share, memory, losses, while a drive is played over DDS.

    python -m benchmark.harvest_node [--rate 10] [--seconds 120] [--budget 5] [--labels]

A synthetic drive of 1280x640 is played again and again with new stamps; `--labels` starts the
pseudo-label node beside it, whose share is not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from benchmark.online import MEBIBYTE, START_TIMEOUT_S, SYNTHETIC_RATE_HZ, synthetic_drive
from benchmark.processes import started
from cups_ros.fastdds_profile import use_fastdds_profile

STEPS = 10


def main() -> None:
    """Play, listen, print a line now and then and the sum at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=10.0, help="pairs per second")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--budget", type=float, default=5.0, help="GB per hour")
    parser.add_argument("--compression", choices=("none", "lz4", "zstd"), default="zstd")
    parser.add_argument("--drive", type=Path, help="a bag instead of the synthetic drive")
    parser.add_argument("--labels", action="store_true", help="run the pseudo-label node as well")
    options = parser.parse_args()
    use_fastdds_profile()
    with tempfile.TemporaryDirectory() as folder:
        drive = options.drive or synthetic_drive(Path(folder))
        figures = measure(drive, Path(folder) / "kept", options)
    print(json.dumps(figures, indent=1))


def measure(drive: Path, folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Play the drive for so many seconds after the node's first pair; the figures by name."""
    newest: dict[str, str] = {}

    def on_diagnostics(message: DiagnosticArray) -> None:
        if message.status[0].name == "/harvest_node":
            newest.update({item.key: item.value for item in message.status[0].values})

    player = {
        "path": drive,
        "rate": options.rate / SYNTHETIC_RATE_HZ,
        "loop": True,
        "restamp": True,
        "wait_s": START_TIMEOUT_S,
    }
    harvest = {
        "bag.folder": folder,
        "bag.compression": options.compression,
        "bag.free_reserve_gb": 0.0,
        "harvest.budget_gb_per_hour": float(options.budget),
    }
    with rclpy.init(), ExitStack() as stack:
        node = Node("harvest_benchmark")
        node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
        process = stack.enter_context(started("cups_ros.harvest_node", harvest))
        if options.labels:
            stack.enter_context(started("cups_ros.pseudo_label_node", {}))
        stack.enter_context(started("cups_ros.drive_player", player))
        deadline = time.monotonic() + START_TIMEOUT_S
        while newest.get("pairs seen", "0") == "0":
            rclpy.spin_once(node, timeout_sec=0.5)
            if time.monotonic() > deadline:
                raise SystemExit("the node has seen nothing: see its output above")
        figures = watch(node, newest, psutil.Process(process.pid), options.seconds)
        node.destroy_node()
    return figures | newest


def watch(
    node: Node, newest: dict[str, str], process: psutil.Process, seconds: float
) -> dict[str, str]:
    """Listen for so many seconds."""
    start, seen_before = time.monotonic(), int(newest["pairs seen"])
    processor_s = sum(process.cpu_times()[:2])
    memory: list[float] = []
    for step in range(1, STEPS + 1):
        while time.monotonic() < start + step * seconds / STEPS:
            rclpy.spin_once(node, timeout_sec=0.5)
        memory.append(process.memory_info().rss / MEBIBYTE)
        print(
            f"{time.monotonic() - start:5.0f} s: {newest['pairs seen']} seen, "
            f"{newest['pairs kept']} kept, {memory[-1]:.0f} MiB",
            flush=True,
        )
    took = time.monotonic() - start
    return {
        "pairs per second": f"{(int(newest['pairs seen']) - seen_before) / took:.2f}",
        "processors used": f"{(sum(process.cpu_times()[:2]) - processor_s) / took:.3f}",
        "memory growth, second half [MiB]": f"{memory[-1] - memory[STEPS // 2 - 1]:.1f}",
    }


if __name__ == "__main__":
    main()
