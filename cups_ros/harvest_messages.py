"""Serialised messages as the harvest recorder takes them, with what the policy needs of them.

The harvest node's worker reads each pair and each pseudo-label with it; nothing is serialised anew.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
from cups_msgs.msg import PanopticImage, Segment
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo

from cups_core.errors import InputError
from cups_core.frame_quality import FrameQuality, measure
from cups_core.harvesting.observation import SeenObject
from cups_core.recording.messages import header_stamp_ns
from cups_ros.harvest_file import RecordedTopic
from cups_ros.harvest_recorder import LabelItem, PairItem, Serialized
from cups_ros.image_conversion import rgb_image
from cups_ros.message_definition import message_definition, type_name
from cups_ros.stereo_input import StereoMessages


@cache
def recorded_topic(name: str, message_type: Any) -> RecordedTopic:
    """A topic as the bag describes it."""
    return RecordedTopic(name, type_name(message_type), message_definition(message_type))


def pair_item(messages: StereoMessages, image_type: type[Any], received_ns: int) -> PairItem:
    """A pair from a serialised stereo input.

    Args:
        messages: as bytes.
        image_type: Image or CompressedImage.
        received_ns: when the pair was complete.

    Raises:
        InputError: the left image cannot be decoded or is smaller than 64x36.
    """
    topics = messages.topics
    parts: tuple[tuple[str, Any, Any], ...] = (
        # Calibration first, so that a reader has it before the first picture.
        (topics.left_info, CameraInfo, messages.left_info),
        (topics.right_info, CameraInfo, messages.right_info),
        (topics.left, image_type, messages.left),
        (topics.right, image_type, messages.right),
    )
    return PairItem(
        header_stamp_ns(parts[2][2]),
        tuple(
            Serialized(recorded_topic(name, kind), received_ns, data) for name, kind, data in parts
        ),
        _quality(parts[2][2], image_type, topics.left),
    )


def label_item(data: bytes, topic: str, received_ns: int) -> LabelItem:
    """A serialised pseudo-label.

    Raises:
        InputError: it has no size.
    """
    message = Serialized(recorded_topic(topic, PanopticImage), received_ns, data)
    label = deserialize_message(data, PanopticImage)
    return LabelItem(header_stamp_ns(data), message, _seen_objects(label))


def _quality(data: bytes, image_type: type[Any], topic: str) -> FrameQuality:
    picture = rgb_image(deserialize_message(data, image_type), topic)
    return measure(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def _seen_objects(label: PanopticImage) -> tuple[SeenObject, ...]:
    width, height = label.segment_map.width, label.segment_map.height
    if not width or not height:
        raise InputError(
            f"pseudo-label: expected a segment map, found {width}x{height} pixels: check its "
            "publisher"
        )
    return tuple(
        SeenObject(
            segment.track_id,
            min(1.0, max(0.0, segment.score)),
            segment.area / (width * height),
            _speed_mps(segment),
            _is_cut(segment, width, height),
        )
        for segment in label.segments
        if segment.is_thing
    )


def _speed_mps(segment: Segment) -> float:
    velocity = segment.velocity
    return math.hypot(velocity.x, velocity.y, velocity.z)


def _is_cut(segment: Segment, width: int, height: int) -> bool:
    box = segment.box
    return (
        box.x_offset == 0
        or box.y_offset == 0
        or box.x_offset + box.width >= width
        or box.y_offset + box.height >= height
    )
