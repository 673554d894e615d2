"""Definitions made from the Python classes are those that everybody else has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cups_msgs.msg import PanopticImage, Segment
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header, String

from cups_ros.message_definition import message_definition, type_name

STORE = get_typestore(Stores.ROS2_KILTED)


@pytest.mark.parametrize(
    "message_type", [Image, CompressedImage, CameraInfo, PointCloud2, String, ParameterDescriptor]
)
def test_the_definition_has_the_hash_of_the_official_one(message_type: type[Any]) -> None:
    name = type_name(message_type)
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(message_definition(message_type), name))
    assert store.hash_rihs01(name) == STORE.hash_rihs01(name)


def test_our_own_message_is_defined_as_in_its_file_and_readable_with_it(repository: Path) -> None:
    name = "cups_msgs/msg/PanopticImage"
    made, official = (get_typestore(Stores.ROS2_KILTED) for _ in range(2))
    made.register(get_types_from_msg(message_definition(PanopticImage), name))
    for part in ("Segment", "PanopticImage"):
        text = (repository / f"msg/{part}.msg").read_text()
        official.register(get_types_from_msg(text, f"cups_msgs/msg/{part}"))
    assert made.hash_rihs01(name) == official.hash_rihs01(name)
    label = PanopticImage(
        header=Header(frame_id="left"), segments=[Segment(id=3, score=0.5)], recipe="online"
    )
    read: Any = made.deserialize_cdr(bytes(serialize_message(label)), name)
    assert (read.header.frame_id, read.recipe, read.segments[0].id) == ("left", "online", 3)
