"""Small bags of every kind with the same stereo drive, and the command that extracts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cups_training.cli import main

ROS1, ROS2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_KILTED)
RAW, COMPRESSED, INFO = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
LAG_NS = 5_000_000
WIDTH, HEIGHT = 96, 64
BASELINE_M = 0.5
FX = 80.0
LEFT, RIGHT = "/rig/left/image_rect", "/rig/right/image_rect"


@dataclass(frozen=True)
class Shot:
    """One image of a drive."""

    side: str
    stamp_ns: int
    picture: np.ndarray
    encoding: str = "rgb8"
    recorded_ns: int | None = None


def picture(number: int, side: str, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A textured wall that passes by; the right camera sees it 6 pixels further left."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (height // 4, width // 2, 3), dtype=np.uint8)
    wall = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    start = 3 * number + (6 if side == "right" else 0)
    return np.ascontiguousarray(wall[:, start : start + width])


def shots(count: int = 8, start_ns: int = START_NS, **size: int) -> list[Shot]:
    return [
        Shot(side, start_ns + number * PERIOD_NS, picture(number, side, **size))
        for number in range(count)
        for side in ("left", "right")
    ]


def image(store: Any, shot: Shot) -> Any:
    height, width = shot.picture.shape[:2]
    data = np.ascontiguousarray(shot.picture).reshape(-1).view(np.uint8)
    header = _header(store, shot)
    return store.types[RAW](header, height, width, shot.encoding, 0, data.size // height, data)


def compressed_image(store: Any, shot: Shot, suffix: str) -> Any:
    _, data = cv2.imencode(suffix, shot.picture[..., ::-1])
    form = f"rgb8; {suffix.removeprefix('.').replace('jpg', 'jpeg')} compressed bgr8"
    return store.types[COMPRESSED](_header(store, shot), form, data.reshape(-1))


def camera_info(store: Any, shot: Shot, D: Iterable[float] = (0.0,) * 5) -> Any:
    height, width = shot.picture.shape[:2]
    shift = -FX * BASELINE_M if shot.side == "right" else 0.0
    cx, cy = (width - 1) / 2, (height - 1) / 2
    K = np.array([FX, 0, cx, 0, FX, cy, 0, 0, 1])
    P = np.array([FX, 0, cx, shift, 0, FX, cy, 0, 0, 0, 1, 0])
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    D = np.array(list(D))
    calibration = (height, width, "plumb_bob", D, K, np.eye(3).ravel(), P, 0, 0, roi)
    return store.types[INFO](_header(store, shot), *calibration)


def _header(store: Any, shot: Shot) -> Any:
    time = store.types["builtin_interfaces/msg/Time"](*divmod(shot.stamp_ns, 1_000_000_000))
    number = [0] if store is ROS1 else []
    return store.types["std_msgs/msg/Header"](*number, time, f"{shot.side}_optical")


def messages(
    store: Any, taken: Iterable[Shot], suffix: str = "", leaf: str = "image_rect", **info: Any
) -> list[tuple[str, str, int, Any]]:
    """Topic, type, time of recording and message of each image and its camera_info."""
    found: list[tuple[str, str, int, Any]] = []
    for shot in taken:
        time = shot.recorded_ns or shot.stamp_ns + LAG_NS
        topic = f"/rig/{shot.side}/{leaf}"
        if suffix:
            content = (
                f"{topic}/compressed",
                COMPRESSED,
                time,
                compressed_image(store, shot, suffix),
            )
        else:
            content = (topic, RAW, time, image(store, shot))
        found.append(
            (f"/rig/{shot.side}/camera_info", INFO, time, camera_info(store, shot, **info))
        )
        found.append(content)
    return found


def write_ros2(
    path: Path,
    items: Iterable[tuple[str, str, int, Any]],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    mode: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for topic, kind, time, content in items:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=ROS2)
            writer.write(connections[topic], time, ROS2.serialize_cdr(content, kind))
    return path


def write_ros1(path: Path, items: Iterable[tuple[str, str, int, Any]]) -> Path:
    connections: dict[str, Any] = {}
    with Rosbag1Writer(path) as writer:
        for topic, kind, time, content in items:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=ROS1)
            writer.write(connections[topic], time, ROS1.serialize_ros1(content, kind))
    return path


def bag(path: Path, taken: Iterable[Shot], **options: Any) -> Path:
    return write_ros2(path, messages(ROS2, taken, **options))


def shifted(shot: Shot, by_ns: int) -> Shot:
    return replace(shot, stamp_ns=shot.stamp_ns + by_ns)


Extract = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def extract(capsys: pytest.CaptureFixture[str]) -> Extract:
    """Run the command; its exit code and what it printed as JSON, or its error."""

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["extract", *map(str, arguments), "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else {"error": printed.err}

    return run


def all_bytes(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
