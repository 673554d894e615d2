"""A subscription to images, raw or compressed, that finds the publisher's reliability by itself.

The stereo input of the nodes makes one per camera and connects them to the stereo synchroniser.
"""

from __future__ import annotations

from typing import Any

from rclpy.event_handler import (
    QoSMessageLostInfo,
    QoSRequestedIncompatibleQoSInfo,
    SubscriptionEventCallbacks,
)
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from cups_ros.message_filter import SimpleFilter, Subscriber

QUEUE_DEPTH = 5
TRANSPORTS = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}


class ImageSubscription(SimpleFilter):
    """Hands on every image of a topic.

    A reliable subscription never hears a best-effort publisher, and a best-effort one loses images
    above half a megabyte of a publisher that runs Fast DDS without the shipped profile. With
    `qos="auto"` it starts reliable and becomes best effort, with one warning, when such a publisher
    shows up.

    Attributes:
        topic: the resolved name.
        received: number of images.
        lost: number of images that the transport reported as lost.
    """

    def __init__(
        self, node: Node, topic: str, transport: str, qos: str, *, is_serialized: bool = False
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscription.
            topic: base name; "/compressed" is added for the compressed transport.
            transport: "raw" or "compressed".
            qos: "auto", "reliable" or "best_effort".
            is_serialized: hand the images on as the bytes that came instead of as messages.
        """
        super().__init__()
        self._node = node
        self._message_type, suffix = TRANSPORTS[transport]
        self._qos = qos
        self._is_serialized = is_serialized
        self._requested_topic = topic + suffix
        self.topic = node.resolve_topic_name(self._requested_topic)
        self.received = 0
        self.lost = 0
        self._swap_timer: Any = None
        reliable = qos != "best_effort"
        self._subscriber = self._subscribe(
            ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        )

    @property
    def unused_transport(self) -> str | None:
        """The other transport, when somebody publishes that one instead."""
        base = self._requested_topic.removesuffix("/compressed")
        for transport, (message_type, suffix) in TRANSPORTS.items():
            if message_type is not self._message_type and self._node.count_publishers(
                base + suffix
            ):
                return transport
        return None

    def destroy(self) -> None:
        """End the subscription."""
        self._end_swap()
        self._node.destroy_subscription(self._subscriber.sub)

    def _subscribe(self, reliability: ReliabilityPolicy) -> Subscriber:
        subscriber = Subscriber(
            self._node,
            self._message_type,
            self._requested_topic,
            qos_profile=QoSProfile(depth=QUEUE_DEPTH, reliability=reliability),
            raw=self._is_serialized,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible_qos, message_lost=self._on_message_lost
            ),
        )
        subscriber.registerCallback(self._on_image)
        return subscriber

    def _on_image(self, message: Image | CompressedImage | bytes) -> None:
        self.received += 1
        self.signalMessage(message)

    def _on_message_lost(self, event: QoSMessageLostInfo) -> None:
        self.lost += event.total_count_change

    def _on_incompatible_qos(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        if self._qos != "auto":
            self._node.get_logger().warning(
                f"{self.topic}: a publisher offers another quality of service than "
                f"image_qos={self._qos} asks for "
                f"(policy {event.last_policy_kind.name}), so its images do not arrive: set "
                "input.image_qos to auto"
            )
        elif self._swap_timer is None:
            # A subscription cannot be destroyed from within its own event.
            self._swap_timer = self._node.create_timer(0.0, self._swap_to_best_effort)

    def _swap_to_best_effort(self) -> None:
        self._end_swap()
        self._qos = "best_effort"
        self._node.destroy_subscription(self._subscriber.sub)
        self._subscriber = self._subscribe(ReliabilityPolicy.BEST_EFFORT)
        self._node.get_logger().warning(
            f"{self.topic}: its publisher is best effort, subscribed again as best effort. If "
            "images are missing, "
            "start the publisher with the shipped Fast DDS profile "
            "(config/fastdds_large_images.xml)"
        )

    def _end_swap(self) -> None:
        if self._swap_timer is not None:
            self._node.destroy_timer(self._swap_timer)
            self._swap_timer = None
