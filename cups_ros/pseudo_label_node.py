"""The vehicle node that labels what moves: stereo images in, moving objects with track ids and velocities out.

`perception.launch.py` and the command `cups_pseudo_label` start it; it computes nothing itself.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import cv2
from cups_msgs.msg import PanopticImage
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState
from rclpy.lifecycle.node import TransitionCallbackReturn
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage
from visualization_msgs.msg import MarkerArray

from cups_core.drawing import overlay_segments
from cups_core.errors import CupsError
from cups_core.frames import StereoFrame
from cups_core.motion.online import OnlineMotion, OnlineResult, OnlineSettings
from cups_core.settings import setting
from cups_ros.diagnostics import FrameStatistics, diagnostics_message
from cups_ros.latest_worker import LatestWorker
from cups_ros.lifecycle import run, told
from cups_ros.motion_messages import MotionMessages, object_markers, point_cloud
from cups_ros.parameters import declare, read
from cups_ros.stereo_input import StereoInput, StereoInputSettings, StereoMessages

RECIPE = "online motion: DIS flow, semi-global matching, region growing"
SILENCE_S = 5.0
STOP_TIMEOUT_S = 10.0
QUEUE_DEPTH = 5


@dataclass(frozen=True)
class PseudoLabelSettings:
    """What the node does besides reading its input and computing."""

    autostart: bool = setting(
        True, "configure and activate at start; false leaves both to a lifecycle manager"
    )
    points_step_px: int = setting(
        2, "the point cloud takes every n-th row and column of the image", minimum=1, maximum=64
    )
    velocity_arrow_s: float = setting(
        1.0, "a velocity arrow is as long as the way of this many seconds", minimum=0.01, maximum=60.0
    )


PARAMETERS = {"": PseudoLabelSettings, "input.": StereoInputSettings, "motion.": OnlineSettings}


class PseudoLabelNode(LifecycleNode):
    """Subscribes while active, labels the newest pair in a worker thread and publishes from there.

    A frame that fails is counted and told, and the node goes on with the next one.
    """

    def __init__(self) -> None:
        super().__init__("pseudo_label_node")
        declare(self, PARAMETERS)
        self._settings = PseudoLabelSettings()
        self._input: StereoInput | None = None
        self._worker: LatestWorker[tuple[StereoMessages, float]] | None = None
        self._timers: list[Any] = []

    @property
    def autostart(self) -> bool:
        """Whether the node configures and activates itself."""
        return bool(self.get_parameter("autostart").value)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, build the chain and the publishers."""
        with told(self, "configure"):
            try:
                self._settings = read(self, "", PseudoLabelSettings)
                self._input_settings = read(self, "input.", StereoInputSettings)
                self._motion = OnlineMotion(read(self, "motion.", OnlineSettings))
            except CupsError as error:
                self.get_logger().error(f"configure: {error}")
                return TransitionCallbackReturn.FAILURE
            self._messages = MotionMessages()
            self._statistics = FrameStatistics()
            self._publishers_by_name = {
                name: self.create_lifecycle_publisher(message_type, f"~/{name}", QUEUE_DEPTH)
                for name, message_type in (
                    ("pseudo_label", PanopticImage),
                    ("disparity", DisparityImage),
                    ("depth", Image),
                    ("objects", MarkerArray),
                    ("points", PointCloud2),
                    ("overlay", Image),
                )
            }
            self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        return super().on_configure(state)
