"""The message package: its definitions as shipped, and a panoptic image between two processes."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cups_msgs", reason="the messages are not installed: pip install ./msg")

import rclpy
from cups_msgs.msg import PanopticImage, Segment
from geometry_msgs.msg import Point, Vector3
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from cups_core.panoptic import UNKNOWN_CLASS

PATIENCE_S = 30
SEND_BACK = """
import time, rclpy
from cups_msgs.msg import PanopticImage
with rclpy.init():
    node = rclpy.create_node("mirror")
    publisher = node.create_publisher(PanopticImage, "back", 5)
    node.create_subscription(PanopticImage, "there", publisher.publish, 5)
    rclpy.spin(node)
"""


def panoptic_image() -> PanopticImage:
    header = Header(frame_id="left_optical")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    pixels = np.array([[0, 7, 7], [0, 65535, 7]], np.uint16)
    car = Segment(
        id=7,
        class_id=Segment.UNKNOWN_CLASS,
        class_name="moving object",
        is_thing=True,
        score=0.5,
        area=3,
        box=RegionOfInterest(x_offset=1, y_offset=0, width=2, height=2),
        track_id=7,
        centroid=Point(x=1.0, y=2.0, z=3.0),
        velocity=Vector3(x=math.nan, y=math.nan, z=math.nan),
    )
    message = PanopticImage(header=header, segments=[car, Segment(id=65535)], recipe="online")
    message.segment_map = Image(
        header=header, height=2, width=3, encoding="16UC1", step=6, data=pixels.tobytes()
    )
    message.processing_time.nanosec = 5
    return message


def test_the_unknown_class_is_the_core_s() -> None:
    assert Segment.UNKNOWN_CLASS == UNKNOWN_CLASS


def test_an_independent_reader_of_the_definitions_reads_the_bytes(repository: Path) -> None:
    store = get_typestore(Stores.ROS2_KILTED)
    for name in ("Segment", "PanopticImage"):
        text = (repository / f"msg/{name}.msg").read_text()
        store.register(get_types_from_msg(text, f"cups_msgs/msg/{name}"))
    data = serialize_message(panoptic_image())
    found = store.deserialize_cdr(data, "cups_msgs/msg/PanopticImage")
    assert (found.header.frame_id, found.header.stamp.nanosec) == ("left_optical", 34)
    assert found.segment_map.data.view(np.uint16).tolist() == [0, 7, 7, 0, 65535, 7]
    car = found.segments[0]
    assert (car.id, car.track_id, car.is_thing, car.area) == (7, 7, True, 3)
    assert (car.box.x_offset, car.box.width, car.centroid.z) == (1, 2, 3.0)
    assert math.isnan(car.velocity.x)
    assert (found.recipe, found.processing_time.nanosec) == ("online", 5)
    written = bytes(store.serialize_cdr(found, "cups_msgs/msg/PanopticImage"))
    assert serialize_message(deserialize_message(written, PanopticImage)) == data


def test_a_panoptic_image_crosses_to_another_process_and_back() -> None:
    sent = panoptic_image()
    received: list[PanopticImage] = []
    mirror = subprocess.Popen([sys.executable, "-c", SEND_BACK], stderr=subprocess.DEVNULL)
    try:
        with rclpy.init():
            node = rclpy.create_node("sender")
            publisher = node.create_publisher(PanopticImage, "there", 5)
            node.create_subscription(PanopticImage, "back", received.append, 5)
            for _ in range(PATIENCE_S * 10):
                publisher.publish(sent)
                rclpy.spin_once(node, timeout_sec=0.1)
                if received:
                    break
            node.destroy_node()
    finally:
        mirror.kill()
        mirror.wait(PATIENCE_S)
    assert received, f"nothing came back within {PATIENCE_S} s"
    # Bytes, because a velocity that is not a number is equal to nothing.
    assert serialize_message(received[0]) == serialize_message(sent)
