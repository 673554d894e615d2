"""Measures how long an image takes from the drive player to a callback in another process.

    python -m benchmark.transport [--width 1280 --height 720 --rate 10 --seconds 20]

The player plays a folder of noise over the real topics, stamped with the time at which each image
is due, so reading the pictures and the player's own lateness count as well.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from benchmark.processes import started
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_ros.stamps import nanoseconds

PICTURES = 10
START_TIMEOUT_S = 30.0


def main() -> None:
    """Play, listen, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--rate", type=float, default=10.0, help="stereo pairs per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    use_fastdds_profile()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), options.width, options.height)
        latencies_ms, expected = measure(Path(folder), options.rate, options.seconds)
    p50, p95, p99 = np.percentile(latencies_ms, (50, 95, 99))
    figures = {
        "size": f"{options.width}x{options.height}",
        "images": len(latencies_ms),
        "expected": expected,
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "p99_ms": round(float(p99), 2),
        "machine": platform.processor() or platform.machine(),
    }
    print(
        json.dumps(figures)
        if options.json
        else "\n".join(f"{k:10} {v}" for k, v in figures.items())
    )


def write_pictures(folder: Path, width: int, height: int) -> None:
    """A stereo folder for the player; JPEG, which reads faster than PNG."""
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        (folder / side).mkdir()
        for number in range(PICTURES):
            coarse = rng.integers(0, 255, (height // 16, width // 16, 3)).astype(np.uint8)
            picture = cv2.resize(coarse, (width, height))
            cv2.imwrite(str(folder / side / f"{number:06d}.jpg"), picture)
    (folder / "calib.txt").write_text(
        "".join(
            f"P{camera}: 700 0 {width / 2} {-350 * camera} 0 700 {height / 2} 0 0 0 1 0\n"
            for camera in (0, 1)
        )
    )


def measure(folder: Path, rate_hz: float, seconds: float) -> tuple[list[float], int]:
    """Latencies of the left images in milliseconds, and how many images were due."""
    latencies_ms: list[float] = []

    def on_image(message: Image) -> None:
        latencies_ms.append((time.time_ns() - nanoseconds(message.header.stamp)) / 1e6)

    with rclpy.init():
        node = Node("transport_benchmark")
        # Both sides, because the node of the vehicle receives both.
        node.create_subscription(Image, "left/image_rect", on_image, QoSProfile(depth=5))
        node.create_subscription(Image, "right/image_rect", lambda _: None, QoSProfile(depth=5))
        parameters = {"path": folder, "folder_rate_hz": rate_hz, "loop": True, "restamp": True}
        with started("cups_ros.drive_player", parameters):
            deadline = time.monotonic() + START_TIMEOUT_S
            while not latencies_ms and time.monotonic() < deadline:
                rclpy.spin_once(node, timeout_sec=0.1)
            latencies_ms.clear()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                rclpy.spin_once(node, timeout_sec=0.1)
        node.destroy_node()
    if not latencies_ms:
        raise SystemExit("no image arrived: see the player's output above")
    return latencies_ms, round(rate_hz * seconds)


if __name__ == "__main__":
    main()
