"""The player in its own process: what arrives, when, and what it says of a bad drive."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from cups_ros.image_conversion import rgb_image
from cups_ros.stamps import nanoseconds

FRAMES = 6
RATE_HZ = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for side, value in (("left", 10), ("right", 100)):
        (tmp_path / side).mkdir()
        for number in range(FRAMES):
            picture = np.full((48, 64, 3), value + number, np.uint8)
            cv2.imwrite(str(tmp_path / side / f"{number:04d}.png"), picture)
    (tmp_path / "calib.txt").write_text(
        "70 0 32 0 0 70 24 0 0 0 1 0\n70 0 32 -35 0 70 24 0 0 0 1 0\n"
    )
    return tmp_path


def play(start_process: Any, path: Path, *parameters: str) -> Any:
    arguments = [argument for parameter in parameters for argument in ("-p", parameter)]
    return start_process("cups_ros.drive_player", "--ros-args", "-p", f"path:={path}", *arguments)


def test_a_drive_arrives_whole_and_in_real_time(
    tester: Any, start_process: Any, folder: Path
) -> None:
    right = tester.collect(Image, "right/image_rect")
    infos = tester.collect(CameraInfo, "right/camera_info")
    arrived: list[float] = []
    tester.node.create_subscription(
        Image, "left/image_rect", lambda message: arrived.append(time.monotonic()), 10
    )
    player = play(start_process, folder, f"folder_rate_hz:={RATE_HZ}")
    tester.wait_until(lambda: player.process.poll() is not None, "the end of the drive")
    tester.wait_until(lambda: len(right) == FRAMES, "all right images")
    assert player.process.returncode == 0
    assert "played 24 messages" in player.output
    stamps = [nanoseconds(message.header.stamp) for message in right]
    assert stamps == [1_000_000_000 + i * 100_000_000 for i in range(FRAMES)]
    assert [int(rgb_image(message, "right")[0, 0, 0]) for message in right] == [
        100 + number for number in range(FRAMES)
    ]
    assert infos[0].p[3] == -35.0
    # It never runs ahead of the clock.
    assert arrived[-1] - arrived[0] > 0.9 * (FRAMES - 1) / RATE_HZ


def test_a_loop_starts_again_with_the_old_stamps(
    tester: Any, start_process: Any, folder: Path
) -> None:
    left = tester.collect(Image, "left/image_rect")
    player = play(start_process, folder, "loop:=true", "rate:=4.0")
    tester.wait_until(lambda: len(left) > 2 * FRAMES, "the third round")
    stamps = [nanoseconds(message.header.stamp) for message in left]
    jumps = [i for i in range(1, len(stamps)) if stamps[i] < stamps[i - 1]]
    assert all(stamps[i] == 1_000_000_000 for i in jumps)
    assert len(jumps) >= 2
    assert player.stop() == 0


def test_restamped_images_carry_the_time_of_playing(
    tester: Any, start_process: Any, folder: Path
) -> None:
    left = tester.collect(Image, "left/image_rect")
    right = tester.collect(Image, "right/image_rect")
    before_ns = time.time_ns()
    play(start_process, folder, "loop:=true", "restamp:=true", "image_qos:=reliable")
    tester.wait_until(lambda: min(len(left), len(right)) > FRAMES + 2, "the second round")
    stamps = [nanoseconds(message.header.stamp) for message in left]
    assert before_ns < stamps[0] < stamps[-1] < time.time_ns()
    assert all(late > early for early, late in pairwise(stamps))
    count = min(len(left), len(right))
    assert stamps[:count] == [nanoseconds(m.header.stamp) for m in right[:count]]


def test_best_effort_images_can_be_played(tester: Any, start_process: Any, folder: Path) -> None:
    found: list[Image] = []
    tester.node.create_subscription(
        Image,
        "left/image_rect",
        found.append,
        QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT),
    )
    play(start_process, folder, "image_qos:=best_effort", "loop:=true")
    tester.wait_until(lambda: found, "an image")
    offered = tester.node.get_publishers_info_by_topic("/left/image_rect")[0].qos_profile
    assert offered.reliability == ReliabilityPolicy.BEST_EFFORT


def test_a_damaged_drive_plays_what_is_good_and_ends_with_one_sentence(
    tester: Any, start_process: Any, folder: Path
) -> None:
    left = tester.collect(Image, "left/image_rect")
    (folder / "left/0003.png").write_bytes(b"no picture")
    player = play(start_process, folder)
    tester.wait_until(lambda: player.process.poll() is not None, "the end")
    tester.wait_until(lambda: len(left) == 3, "the good images")
    assert player.process.returncode == 1
    assert "cups_drive_player: " in player.output
    assert "0003.png: expected a PNG or JPEG picture" in player.output
    assert "Traceback" not in player.output


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("''", "no drive given"), ("/no/such/drive", "/no/such/drive: no such bag or folder")],
)
def test_no_drive_is_one_sentence(start_process: Any, path: str, sentence: str) -> None:
    player = play(start_process, Path(path))
    assert player.process.wait(60) == 1
    assert sentence in player.output
    assert "Traceback" not in player.output


def test_it_plays_without_listeners_when_told_not_to_wait(start_process: Any, folder: Path) -> None:
    player = play(start_process, folder, "wait_s:=0.0", "rate:=10.0")
    assert player.process.wait(60) == 0
    assert "played 24 messages" in player.output
