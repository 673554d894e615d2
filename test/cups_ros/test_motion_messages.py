"""Results leave as standard messages: read back here the way a subscriber would."""

from __future__ import annotations

import math

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.rig import StereoRig
from cups_ros.motion_messages import MotionMessages, object_markers, point_cloud
from cups_ros.stamps import time_message

RIG = StereoRig(np.array([[100.0, 0, 4], [0, 100.0, 3], [0, 0, 1]]), 0.5, 8, 6)
HEADER = Header(stamp=time_message(1_234_567_890), frame_id="left_optical")
NOWHERE = np.full(3, np.nan)


def segments() -> MotionSegments:
    """A walker whose place and velocity are known, and something of which neither is."""
    instances = np.zeros((6, 8), np.uint16)
    instances[1:3, 2:5] = 7
    instances[5, 0] = 300
    walker = MovingObject(7, 0.75, 6, (2, 1, 3, 2), np.array([1.0, 2, 10]), np.array([3.0, 0, 4]))
    unknown = MovingObject(300, 0.5, 1, (0, 5, 1, 1), NOWHERE, NOWHERE)
    return MotionSegments(instances, (walker, unknown))


def test_moving_objects_become_things_without_a_name() -> None:
    message = MotionMessages().panoptic(HEADER, segments(), "recipe", 0.25)
    assert message.header == message.segment_map.header == HEADER
    assert message.recipe == "recipe"
    assert (message.processing_time.sec, message.processing_time.nanosec) == (0, 250_000_000)
    pixels = np.frombuffer(message.segment_map.data, np.uint16).reshape(6, 8)
    np.testing.assert_array_equal(pixels, segments().instances)
    assert message.segment_map.encoding == "16UC1"
    walker, unknown = message.segments
    assert (walker.id, walker.track_id, walker.class_id, walker.is_thing) == (7, 7, 65535, True)
    assert (walker.box.x_offset, walker.box.y_offset) == (2, 1)
    assert (walker.box.width, walker.box.height, walker.area, walker.score) == (3, 2, 6, 0.75)
    assert (walker.centroid.x, walker.centroid.y, walker.centroid.z) == (1.0, 2.0, 10.0)
    assert (walker.velocity.x, walker.velocity.y, walker.velocity.z) == (3.0, 0.0, 4.0)
    assert math.isnan(unknown.centroid.x)
    assert math.isnan(unknown.velocity.z)
    assert serialize_message(message)


def test_unknown_disparity_lies_below_the_minimum() -> None:
    disparity = np.zeros((6, 8), np.float32)
    disparity[2, 3] = 12.5
    message = MotionMessages().disparity(HEADER, disparity, RIG)
    pixels = np.frombuffer(message.image.data, np.float32).reshape(6, 8)
    assert pixels[2, 3] == 12.5
    assert (pixels[0] < message.min_disparity).all()
    # stereo_msgs: Z = f T / d
    assert message.f * message.t / pixels[2, 3] == RIG.depth(disparity)[2, 3]
    assert message.header == message.image.header == HEADER
    assert message.max_disparity == 12.5


def test_depth_is_metres_with_nan_where_unknown() -> None:
    depth = RIG.depth(np.eye(6, 8, dtype=np.float32))
    message = MotionMessages().depth(HEADER, depth)
    assert message.encoding == "32FC1"
    found = np.frombuffer(message.data, np.float32).reshape(6, 8)
    np.testing.assert_array_equal(found, depth)
    assert np.isnan(found[0, 1])


def test_the_point_cloud_has_the_known_points_with_their_color() -> None:
    depth = np.full((6, 8), np.nan, np.float32)
    depth[2, 4], depth[1, 1] = 10.0, 5.0
    left = np.zeros((6, 8, 3), np.uint8)
    left[2, 4] = (255, 128, 1)
    message = point_cloud(HEADER, depth, RIG, left, step_px=2)
    assert (message.width, message.height, message.point_step) == (1, 1, 16)
    x, y, z = np.frombuffer(message.data, np.float32)[:3]
    np.testing.assert_allclose((x, y, z), (0.0, -0.1, 10.0), atol=1e-6)
    assert np.frombuffer(message.data, np.uint32)[3] == 0xFF8001
    assert [field.name for field in message.fields] == ["x", "y", "z", "rgb"]
    assert len(point_cloud(HEADER, depth, RIG, left, step_px=1).data) == 2 * 16


def test_markers_show_place_speed_and_velocity_of_objects_whose_place_is_known() -> None:
    markers = object_markers(HEADER, segments(), arrow_s=2.0).markers
    assert markers[0].action == Marker.DELETEALL
    ball, text, arrow = markers[1:]
    assert text.text == "7: 5.0 m/s"
    assert ball.pose.position.z == 10.0
    assert (arrow.points[1].x, arrow.points[1].z) == (7.0, 18.0)
    assert all(marker.header == HEADER for marker in markers)
    assert len({(marker.ns, marker.id) for marker in markers[1:]}) == 3
