"""Image subscriptions over DDS: reliability found by itself, raw and compressed images."""

from __future__ import annotations

from typing import Any

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.image_subscription import ImageSubscription

RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.mark.parametrize("offered", [RELIABLE, BEST_EFFORT])
@pytest.mark.parametrize("publisher_first", [False, True])
def test_auto_hears_every_publisher(
    tester: Any, offered: QoSProfile, publisher_first: bool
) -> None:
    publisher = None
    if publisher_first:
        publisher = tester.node.create_publisher(Image, "left/image_rect", offered)
        tester.work(0.3)
    subscription = ImageSubscription(tester.node, "left/image_rect", "raw", "auto")
    publisher = publisher or tester.node.create_publisher(Image, "left/image_rect", offered)
    found: list[Image] = []
    subscription.registerCallback(found.append)

    def publish_and_look() -> bool:
        publisher.publish(Image(encoding="mono8"))
        return bool(found)

    tester.wait_until(publish_and_look, "an image")
    assert subscription.received == len(found)


def test_a_fixed_quality_of_service_that_does_not_fit_is_told(tester: Any, capfd: Any) -> None:
    ImageSubscription(tester.node, "left/image_rect", "raw", "reliable")
    tester.node.create_publisher(Image, "left/image_rect", BEST_EFFORT)
    output: list[str] = []

    def told() -> bool:
        output.append("".join(capfd.readouterr()))
        return "set input.image_qos to auto" in "".join(output)

    tester.wait_until(told, "the warning")
    assert "/left/image_rect: a publisher offers another quality of service" in "".join(output)


def test_compressed_images_come_from_the_topic_beside(tester: Any) -> None:
    subscription = ImageSubscription(tester.node, "left/image_rect", "compressed", "auto")
    assert subscription.topic == "/left/image_rect/compressed"
    publisher = tester.node.create_publisher(CompressedImage, subscription.topic, RELIABLE)
    tester.wait_until(publisher.get_subscription_count, "the subscription")
    publisher.publish(CompressedImage(format="png"))
    tester.wait_until(lambda: subscription.received, "an image")


def test_the_other_transport_is_seen(tester: Any) -> None:
    raw = ImageSubscription(tester.node, "left/image_rect", "raw", "auto")
    assert raw.unused_transport is None
    tester.node.create_publisher(CompressedImage, "left/image_rect/compressed", RELIABLE)
    tester.wait_until(lambda: raw.unused_transport == "compressed", "the other publisher")


def test_a_destroyed_subscription_is_silent(tester: Any) -> None:
    subscription = ImageSubscription(tester.node, "left/image_rect", "raw", "auto")
    publisher = tester.node.create_publisher(Image, "left/image_rect", RELIABLE)
    tester.wait_until(publisher.get_subscription_count, "the subscription")
    subscription.destroy()
    tester.wait_until(lambda: not publisher.get_subscription_count(), "the end of it")
