"""The four topics of a stereo rig as one input: pairs of images with their checked calibration.

Nodes that need stereo own one; it also knows, in one sentence, why nothing arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.image_decoding import SignificantBits
from cups_core.recording.messages import header_stamp_ns
from cups_core.settings import setting
from cups_core.stereo_pairing import Side
from cups_ros.camera_info import stereo_rig
from cups_ros.image_conversion import rgb_image
from cups_ros.image_subscription import ImageSubscription
from cups_ros.stamps import nanoseconds
from cups_ros.stereo_synchronizer import StereoSynchronizer, message_stamp_ns

NAMES = {Side.LEFT: "left", Side.RIGHT: "right"}
NANOSECONDS_PER_MILLISECOND = 1_000_000


@dataclass(frozen=True)
class StereoInputSettings:
    """How the stereo topics are read."""

    image_transport: str = setting(
        "raw",
        "raw reads left/image_rect, compressed reads left/image_rect/compressed; the same on the "
        "right",
        choices=("raw", "compressed"),
    )
    image_qos: str = setting(
        "auto",
        "reliability of the image subscriptions; auto starts reliable and follows a best-effort "
        "publisher",
        choices=("auto", "reliable", "best_effort"),
    )
    sync_tolerance_ms: float = setting(
        5.0,
        "largest difference between the stamps of left and right, milliseconds; 0 pairs equal "
        "stamps only",
        minimum=0.0,
        maximum=1000.0,
    )
    sync_queue_size: int = setting(
        10, "how many images of one camera wait for the other camera's", minimum=1, maximum=1000
    )
    significant_bits: int = setting(
        0,
        "bits that 16-bit images fill, from the lowest (8 to 16); 0 takes the fewest that hold all "
        "seen so far",
        minimum=0,
        maximum=16,
    )


class StereoTopics(NamedTuple):
    """The resolved names of the four topics, for messages to people."""

    left: str
    right: str
    left_info: str
    right_info: str


@dataclass(frozen=True, eq=False)
class StereoMessages:
    """A pair of image messages and the camera_info messages that were the last when it arrived.

    From a serialized input they are the bytes of these messages.
    """

    left: Image | CompressedImage
    right: Image | CompressedImage
    left_info: CameraInfo
    right_info: CameraInfo
    topics: StereoTopics
    significant_bits: SignificantBits

    def frame(self) -> StereoFrame:
        """The pictures, decoded, with their calibration.

        Raises:
            CalibrationError: the calibration cannot be used.
            InputError: an image cannot be decoded, or its size is not that of the calibration.
        """
        rig = stereo_rig(
            self.left_info, self.right_info, self.topics.left_info, self.topics.right_info
        )
        for image, topic in ((self.left, self.topics.left), (self.right, self.topics.right)):
            self.significant_bits.look(image, topic)
        left = rgb_image(self.left, self.topics.left, self.significant_bits.value)
        right = rgb_image(self.right, self.topics.right, self.significant_bits.value)
        for image, topic, info_topic in (
            (left, self.topics.left, self.topics.left_info),
            (right, self.topics.right, self.topics.right_info),
        ):
            if image.shape[:2] != rig.shape:
                raise InputError(
                    f"{topic}: expected {rig.width}x{rig.height} pixels as {info_topic} says, "
                    "found "
                    f"{image.shape[1]}x{image.shape[0]}: the calibration is for another "
                    "resolution; publish the "
                    "camera_info of this one"
                )
        return StereoFrame(left, right, nanoseconds(self.left.header.stamp), rig)


class StereoInput:
    """Subscriptions to both images and both camera_infos of a rig.

    The camera_infos are latched: the last one counts, whatever its stamp, because drivers disagree
    about it.

    Attributes:
        pairs: number of pairs handed on.
        without_calibration: number of pairs dropped because a camera_info had not come yet.
    """

    def __init__(
        self,
        node: Node,
        settings: StereoInputSettings,
        on_pair: Callable[[StereoMessages], None],
        *,
        is_serialized: bool = False,
    ) -> None:
        """Subscribe.

        Args:
            node: owner of the subscriptions.
            settings: how the topics are read.
            on_pair: is called in the executor's thread with every pair.
            is_serialized: hand on the bytes that came, for who records them, instead of messages.
        """
        self.pairs = 0
        self.without_calibration = 0
        self._node = node
        self._settings = settings
        self._on_pair = on_pair
        self._significant_bits = SignificantBits(settings.significant_bits)
        self._infos: dict[Side, CameraInfo] = {}
        self._uncalibrated: tuple[Image | CompressedImage, Image | CompressedImage] | None = None
        self._images = {
            side: ImageSubscription(
                node,
                f"{name}/image_rect",
                settings.image_transport,
                settings.image_qos,
                is_serialized=is_serialized,
            )
            for side, name in NAMES.items()
        }
        # Best effort hears reliable publishers as well, and a lost camera_info is followed by the
        # next one.
        self._info_subscriptions = {
            side: node.create_subscription(
                CameraInfo,
                f"{name}/camera_info",
                self._info_setter(side),
                qos_profile_sensor_data,
                raw=is_serialized,
            )
            for side, name in NAMES.items()
        }
        self._synchronizer = StereoSynchronizer(
            list(self._images.values()),
            int(settings.sync_tolerance_ms * NANOSECONDS_PER_MILLISECOND),
            settings.sync_queue_size,
            header_stamp_ns if is_serialized else message_stamp_ns,
        )
        self._synchronizer.registerCallback(self._pair_arrived)
        self._topics = StereoTopics(
            self._images[Side.LEFT].topic,
            self._images[Side.RIGHT].topic,
            self._info_subscriptions[Side.LEFT].topic_name,
            self._info_subscriptions[Side.RIGHT].topic_name,
        )
        self._pairs_before = 0
        self._received_before = dict.fromkeys(Side, 0)

    def destroy(self) -> None:
        """End all subscriptions."""
        for image in self._images.values():
            image.destroy()
        for subscription in self._info_subscriptions.values():
            self._node.destroy_subscription(subscription)

    @property
    def clock_jumps(self) -> int:
        """How often the stamps jumped back."""
        return self._synchronizer.pairing.clock_jumps

    def drops(self) -> Counter[str]:
        """Number of images that never became part of a pair, by topic and reason."""
        drops = Counter(
            {
                f"{self._images[side].topic}: {reason.value}": count
                for (side, reason), count in self._synchronizer.pairing.drops.items()
            }
        )
        for image in self._images.values():
            drops[f"{image.topic}: lost by the transport"] += image.lost
        drops["pairs: no camera_info yet"] += self.without_calibration
        return +drops

    @property
    def has_news(self) -> bool:
        """Whether a pair has come since the last call of `silence`."""
        return self.pairs > self._pairs_before

    def silence(self) -> str:
        """Why no pair has come since the last call and what to do; empty when one has."""
        has_news, self._pairs_before = self.has_news, self.pairs
        before = self._received_before
        self._received_before = {side: image.received for side, image in self._images.items()}
        if has_news:
            return ""
        silent = [image for side, image in self._images.items() if image.received == before[side]]
        infos = [
            subscription.topic_name
            for side, subscription in self._info_subscriptions.items()
            if side not in self._infos
        ]
        topics = [image.topic for image in silent] + infos
        unpublished = [topic for topic in topics if not self._node.count_publishers(topic)]
        other = next((image.unused_transport for image in silent if image.unused_transport), None)
        if other is not None:
            return (
                f"expected {self._settings.image_transport} images on "
                f"{', '.join(image.topic for image in silent)}, "
                f"found {other} ones: set input.image_transport to {other}"
            )
        if unpublished:
            return (
                f"nobody publishes {', '.join(unpublished)}: start the camera driver (camera_info "
                "comes from its "
                "calibration file), or remap"
            )
        if topics:
            return (
                f"{', '.join(topics)}: published, but nothing arrives: large images need the "
                "shipped Fast DDS profile "
                "at the publisher, too (config/fastdds_large_images.xml)"
            )
        return self._explain_stamps()

    def _explain_stamps(self) -> str:
        tolerance = f"the tolerance is {self._settings.sync_tolerance_ms:g} ms"
        images = f"images arrive on {self._topics.left} and {self._topics.right}"
        miss_ns = self._synchronizer.pairing.last_miss_ns
        if miss_ns is None:
            return f"{images}, but no two belong together yet; {tolerance}"
        return (
            f"{images}, but their stamps are {miss_ns / NANOSECONDS_PER_MILLISECOND:.1f} ms apart "
            f"and {tolerance}: "
            "trigger the cameras together, or raise input.sync_tolerance_ms if the scene allows"
        )

    def _info_setter(self, side: Side) -> Callable[[CameraInfo], None]:
        def keep(message: CameraInfo) -> None:
            self._infos[side] = message
            if self._uncalibrated is not None and len(self._infos) == len(Side):
                pair, self._uncalibrated = self._uncalibrated, None
                self._hand_on(*pair)

        return keep

    def _pair_arrived(self, left: Image | CompressedImage, right: Image | CompressedImage) -> None:
        if len(self._infos) == len(Side):
            self._hand_on(left, right)
            return
        # Many drivers send the first camera_info after the first image.
        if self._uncalibrated is not None:
            self.without_calibration += 1
        self._uncalibrated = (left, right)

    def _hand_on(self, left: Image | CompressedImage, right: Image | CompressedImage) -> None:
        self.pairs += 1
        self._on_pair(
            StereoMessages(
                left,
                right,
                self._infos[Side.LEFT],
                self._infos[Side.RIGHT],
                self._topics,
                self._significant_bits,
            )
        )
