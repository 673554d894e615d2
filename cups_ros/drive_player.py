"""Plays a recorded stereo drive in real time over the stereo topics, for those without `ros2 bag`.

The command `cups_drive_player` and `make demo` start it.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cups_core.errors import CupsError
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.recording.bag_folder import is_bag
from cups_core.settings import setting
from cups_ros.bag_drive import BagDrive
from cups_ros.drive_source import (
    BagError,
    Channel,
    Drive,
    with_stamp,
)
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_ros.image_folder_drive import ImageFolderDrive
from cups_ros.interruption import interruption
from cups_ros.parameters import declare, read

QUEUE_DEPTH = 5
REMEMBERED_MESSAGES = 10_000
SETTLING_S = 2.0
POLL_S = 0.1
ACKNOWLEDGE_TIMEOUT = Duration(seconds=3)


@dataclass(frozen=True)
class PlayerSettings:
    """What is played and how."""

    path: str = setting(
        "", "a bag (folder, .mcap, .db3, .bag) or a folder of left and right pictures"
    )
    rate: float = setting(1.0, "speed; 2.0 plays twice as fast", minimum=0.01, maximum=100.0)
    loop: bool = setting(
        False, "start again at the end; the stamps jump back unless restamp is set"
    )
    restamp: bool = setting(
        False,
        "stamp with the time of playing, as a camera driver would, instead of the recorded time",
    )
    wait_s: float = setting(
        20.0,
        "wait that long for somebody to listen to each of the topics",
        minimum=0.0,
        maximum=3600.0,
    )
    image_qos: str = setting(
        "reliable", "reliability of the images", choices=("reliable", "best_effort")
    )
    folder_rate_hz: float = setting(
        10.0, "frame rate of pictures whose names are not stamps", minimum=0.01, maximum=1000.0
    )
    left_image_topic: str = setting("", "recorded topic of the left images; empty finds it")
    right_image_topic: str = setting("", "recorded topic of the right images; empty finds it")
    left_info_topic: str = setting("", "recorded topic of the left camera_info; empty finds it")
    right_info_topic: str = setting("", "recorded topic of the right camera_info; empty finds it")


def open_drive(settings: PlayerSettings) -> Drive:
    """The drive that the settings name.

    Raises:
        BagError: there is none, or it cannot be read.
    """
    if not settings.path:
        raise BagError("no drive given: set the parameter path to a bag or to a folder of pictures")
    path = Path(settings.path).expanduser()
    if not path.exists():
        raise BagError(f"{path}: no such bag or folder: check the parameter path")
    if not is_bag(path):
        return ImageFolderDrive(path, settings.folder_rate_hz)
    named = {
        Channel.LEFT_IMAGE: settings.left_image_topic,
        Channel.RIGHT_IMAGE: settings.right_image_topic,
        Channel.LEFT_INFO: settings.left_info_topic,
        Channel.RIGHT_INFO: settings.right_info_topic,
    }
    return BagDrive(path, {channel: topic for channel, topic in named.items() if topic})


class DrivePlayer(Node):
    """Publishes a drive on left/image_rect, left/camera_info and the same on the right."""

    def __init__(self) -> None:
        """Declare the parameters and open the drive.

        Raises:
            BagError: there is no drive, or it cannot be read.
            InputError: a parameter is wrong.
        """
        super().__init__("drive_player")
        declare(self, {"": PlayerSettings})
        self.settings = read(self, "", PlayerSettings)
        self.drive = open_drive(self.settings)
        reliability = ReliabilityPolicy[self.settings.image_qos.upper()]
        compressed = self.drive.is_compressed
        image_type, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        self._channels = {
            channel: self.create_publisher(
                image_type,
                channel.value + suffix,
                QoSProfile(depth=QUEUE_DEPTH, reliability=reliability),
            )
            if channel.is_image
            else self.create_publisher(CameraInfo, channel.value, QUEUE_DEPTH)
            for channel in Channel
        }
        self._lateness_s: deque[float] = deque(maxlen=REMEMBERED_MESSAGES)
        self._played = 0
        self.get_logger().info(
            f"{self.drive.description}; images as {'compressed' if compressed else 'raw'} on "
            f"{self._channels[Channel.LEFT_IMAGE].topic_name}"
        )

    def play(self, interrupted: Event) -> None:
        """Play to the end, or again and again, until interrupted.

        Raises:
            BagError: the drive is damaged; what came before has been played.
        """
        if not self._wait_for_listeners(interrupted):
            return
        try:
            start = self._play_once(time.monotonic(), interrupted)
            while self.settings.loop and not interrupted.is_set():
                start = self._play_once(start, interrupted)
            for publisher in self._channels.values():
                publisher.wait_for_all_acked(ACKNOWLEDGE_TIMEOUT)
        finally:
            self._report()

    def _wait_for_listeners(self, interrupted: Event) -> bool:
        # Each topic by itself: somebody who only looks at the left images may come before the node
        # that needs them all.
        deadline = time.monotonic() + self.settings.wait_s
        while lonely := [
            item.topic_name for item in self._channels.values() if not item.get_subscription_count()
        ]:
            if interrupted.is_set():
                break
            if time.monotonic() >= deadline:
                if self.settings.wait_s > 0:
                    self.get_logger().warning(
                        f"{', '.join(lonely)}: nobody listens after {self.settings.wait_s:g} s, "
                        "playing all the same"
                    )
                break
            rclpy.spin_once(self, timeout_sec=POLL_S)
        # Discovery goes each way by itself: who is known here may not know the player yet, and
        # would miss the beginning.
        settled = time.monotonic() + min(SETTLING_S, self.settings.wait_s)
        while time.monotonic() < settled and not interrupted.is_set():
            rclpy.spin_once(self, timeout_sec=POLL_S)
        return not interrupted.is_set()

    def _play_once(self, start: float, interrupted: Event) -> float:
        """Play from `start` on the monotonic clock; when the next round is due."""
        first_ns = newest_ns = None
        period_ns = 0
        # What the system clock says at that moment, for the stamps.
        start_ns = time.time_ns() + int((start - time.monotonic()) * NANOSECONDS_PER_SECOND)
        for message in self.drive.messages():
            if first_ns is None or newest_ns is None:
                first_ns = message.stamp_ns
            elif message.stamp_ns > newest_ns:
                period_ns = message.stamp_ns - newest_ns
            newest_ns = message.stamp_ns
            due_s = self._playing_s(message.stamp_ns - first_ns)
            while (left_s := start + due_s - time.monotonic()) > 0 and not interrupted.is_set():
                rclpy.spin_once(self, timeout_sec=left_s)
            if interrupted.is_set():
                break
            data = message.data
            if self.settings.restamp:
                data = with_stamp(data, start_ns + int(due_s * NANOSECONDS_PER_SECOND))
            self._lateness_s.append(time.monotonic() - start - due_s)
            self._channels[message.channel].publish(data)
            self._played += 1
        if first_ns is None or newest_ns is None:
            raise BagError(f"{self.drive.description}: the stereo topics hold no messages")
        return start + self._playing_s(newest_ns + period_ns - first_ns)

    def _playing_s(self, recorded_ns: int) -> float:
        return recorded_ns / NANOSECONDS_PER_SECOND / self.settings.rate

    def _report(self) -> None:
        if self._lateness_s:
            late_ms = 1e3 * np.percentile(self._lateness_s, (50, 95, 100))
            self.get_logger().info(
                f"played {self._played} messages; behind the clock p50 {late_ms[0]:.1f} ms, p95 "
                f"{late_ms[1]:.1f} ms, at most {late_ms[2]:.1f} ms"
            )


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `cups_drive_player`."""
    use_fastdds_profile()
    interrupted = interruption()
    with rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO):
        try:
            player = DrivePlayer()
            player.play(interrupted)
        except CupsError as error:
            sys.stderr.write(f"cups_drive_player: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
