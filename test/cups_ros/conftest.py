"""Small stereo messages, a node that waits for things to happen, and processes of the project."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'cups-ros[ros]' ./msg")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cups_core.rig import StereoRig
from cups_ros.camera_info import camera_infos
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_ros.kept_image import KeptImage
from cups_ros.stamps import time_message

use_fastdds_profile()

# The first start of a node compiles its kernels.
PATIENCE_S = 90.0
DISPARITY_PX = 8

StereoPicture = tuple[Image, Image, CameraInfo, CameraInfo]


def make_stereo_picture(stamp_ns: int, width: int = 256, height: int = 128) -> StereoPicture:
    """A textured wall: left and right image and both camera_infos."""
    rng = np.random.default_rng(stamp_ns % 1000)
    scene = rng.integers(0, 255, (height, width + DISPARITY_PX, 3), np.uint8)
    K = np.array([[200.0, 0, width / 2], [0, 200.0, height / 2], [0, 0, 1]])
    left_info, right_info = camera_infos(StereoRig(K, 0.5, width, height))
    messages: list[Any] = [
        KeptImage("rgb8").filled(Header(), scene[:, :width]),
        KeptImage("rgb8").filled(Header(), scene[:, DISPARITY_PX:]),
        left_info,
        right_info,
    ]
    for message, frame in zip(messages, ("left_optical", "right_optical") * 2, strict=True):
        message.header = Header(stamp=time_message(stamp_ns), frame_id=frame)
    return messages[0], messages[1], messages[2], messages[3]


@pytest.fixture(scope="session")
def stereo_picture() -> Callable[..., StereoPicture]:
    return make_stereo_picture


class Tester:
    """A node of the test with its executor."""

    def __init__(self) -> None:
        self.node = Node("tester")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def add(self, node: Node) -> None:
        """Let another node of this process work while the test waits."""
        self._executor.add_node(node)

    def wait_until(self, happened: Callable[[], Any], what: str) -> None:
        """Work until `happened()` is true; fail after a while."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s for {what}"
            self._executor.spin_once(timeout_sec=0.05)

    def work(self, seconds: float) -> None:
        """Work for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def collect(self, message_type: type[Any], topic: str, depth: int = 20) -> list[Any]:
        """Subscribe; the list that fills with what arrives."""
        found: list[Any] = []
        self.node.create_subscription(message_type, topic, found.append, depth)
        return found

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


def _tester() -> Iterator[Tester]:
    with rclpy.init():
        found = Tester()
        try:
            yield found
        finally:
            found.close()


@pytest.fixture
def tester() -> Iterator[Tester]:
    yield from _tester()


@pytest.fixture(scope="module")
def module_tester() -> Iterator[Tester]:
    yield from _tester()


class Process:
    """A module of the project running on its own, with what it printed."""

    def __init__(self, log: Path, module: str, *arguments: str) -> None:
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        """Interrupt it as Ctrl-C does; the exit code."""
        self.process.send_signal(2)
        return self.process.wait(PATIENCE_S)


StartProcess = Callable[..., Process]


def _start_process(folder: Path) -> Iterator[StartProcess]:
    started: list[Process] = []

    def start(module: str, *arguments: str) -> Process:
        started.append(Process(folder / f"{len(started)}.log", module, *arguments))
        return started[-1]

    yield start
    for item in started:
        item.process.kill()
        item.process.wait(PATIENCE_S)


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[StartProcess]:
    yield from _start_process(tmp_path)


@pytest.fixture(scope="module")
def start_module_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartProcess]:
    yield from _start_process(tmp_path_factory.mktemp("processes"))
