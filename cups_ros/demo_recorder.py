"""Writes down what the vehicle node publishes: pictures as files, the rest as JSON lines.

`cups demo` starts it beside the player and the node and reads the lines from its standard output.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from cups_msgs.msg import PanopticImage, Segment
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from cups_core.settings import setting
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_ros.image_conversion import rgb_image
from cups_ros.interruption import interruption
from cups_ros.parameters import declare, read
from cups_ros.stamps import nanoseconds

POLL_S = 0.1
QUEUE_DEPTH = 30
JPEG_QUALITY = 92
# The message info of rclpy: when the publisher wrote it and when DDS received it, both in
# nanoseconds of the system clock, so that the recorder's own work delays neither.
MessageInfo = dict[str, Any]


@dataclass(frozen=True)
class RecorderSettings:
    """Where the recorder writes."""

    output: str = setting("demo_recording", "folder for the pictures and segment maps")


class DemoRecorder(Node):
    """Listens to one camera_info, which tells that a frame was played, and to the node's results.

    The lines say `frame`, `label` or `diagnostics`; overlays and labels are named by stamp.
    """

    def __init__(self) -> None:
        super().__init__("demo_recorder")
        declare(self, {"": RecorderSettings})
        folder = Path(read(self, "", RecorderSettings).output)
        self._labels, self._overlays = folder / "labels", folder / "overlays"
        for place in (self._labels, self._overlays):
            place.mkdir(parents=True, exist_ok=True)
        # A best-effort listener hears every camera driver.
        lenient = QoSProfile(depth=QUEUE_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "left/camera_info", self._on_frame, lenient)
        results = "pseudo_label_node"
        self.create_subscription(
            PanopticImage, f"{results}/pseudo_label", self._on_label, QUEUE_DEPTH
        )
        self.create_subscription(Image, f"{results}/overlay", self._on_overlay, QUEUE_DEPTH)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QUEUE_DEPTH)

    def _on_frame(self, message: CameraInfo, info: MessageInfo) -> None:
        tell(
            "frame",
            stamp_ns=nanoseconds(message.header.stamp),
            published_ns=info["source_timestamp"],
        )

    def _on_label(self, message: PanopticImage, info: MessageInfo) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        image = message.segment_map
        ids = np.frombuffer(image.data, np.uint16).reshape(image.height, image.step // 2)
        file = self._labels / f"{stamp_ns}.png"
        cv2.imwrite(str(file), ids[:, : image.width], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        tell(
            "label",
            stamp_ns=stamp_ns,
            received_ns=info["received_timestamp"],
            processing_s=nanoseconds(message.processing_time) / 1e9,
            recipe=message.recipe,
            objects=[told(segment) for segment in message.segments],
        )

    def _on_overlay(self, message: Image) -> None:
        picture = rgb_image(message, "overlay")
        file = self._overlays / f"{nanoseconds(message.header.stamp)}.jpg"
        cv2.imwrite(str(file), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            tell("diagnostics", name=status.name, message=status.message, values=values)


def told(segment: Segment) -> dict[str, Any]:
    """What the report needs of a segment; unknown velocities become null, as JSON has no NaN."""
    velocity = segment.velocity
    speed = float(np.linalg.norm([velocity.x, velocity.y, velocity.z]))
    return {
        "id": segment.id,
        "area_px": segment.area,
        "speed_mps": speed if np.isfinite(speed) else None,
    }


def tell(event: str, **values: Any) -> None:
    """One line on standard output."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Records until it is interrupted."""
    use_fastdds_profile()
    interrupted = interruption()
    with rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO):
        node = DemoRecorder()
        while not interrupted.is_set():
            rclpy.spin_once(node, timeout_sec=POLL_S)
        node.destroy_node()
    return 0


if __name__ == "__main__":
    sys.exit(main())
