"""The vehicle node over DDS: what it publishes, what it says of bad input, that it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from cups_msgs.msg import PanopticImage
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from stereo_msgs.msg import DisparityImage
from visualization_msgs.msg import MarkerArray

from cups_ros.stamps import nanoseconds, time_message

MS = 1_000_000
PERIOD_NS = 100 * MS
TOPICS = {
    "left/image_rect": Image,
    "right/image_rect": Image,
    "left/camera_info": CameraInfo,
    "right/camera_info": CameraInfo,
}
Picture = tuple[Any, ...]
Change = Callable[[Picture], None]


class Vehicle:
    """The node in its process, four publishers of a camera, and what came back."""

    def __init__(self, process: Any, tester: Any, picture: Callable[..., Picture]) -> None:
        self.process, self.tester, self.picture = process, tester, picture
        self.labels = tester.collect(PanopticImage, "/pseudo_label_node/pseudo_label")
        self.diagnostics = tester.collect(DiagnosticArray, "/diagnostics")
        self.publishers = [
            tester.node.create_publisher(kind, topic, QoSProfile(depth=5))
            for topic, kind in TOPICS.items()
        ]
        self.stamp_ns = 1_000 * PERIOD_NS

    def ready(self) -> None:
        """Wait until the node listens to all topics."""
        self.tester.wait_until(
            lambda: all(publisher.get_subscription_count() for publisher in self.publishers),
            "the node's subscriptions",
        )

    def show(self, change: Change | None = None, only: str = "", **size: int) -> None:
        """One moment of the drive, changed or in part."""
        self.stamp_ns += PERIOD_NS
        messages = self.picture(self.stamp_ns, **size)
        if change is not None:
            change(messages)
        for topic, publisher, message in zip(TOPICS, self.publishers, messages, strict=True):
            if only in topic:
                publisher.publish(message)
        self.tester.work(0.1)

    def wait_for_label(self, what: str, **size: int) -> PanopticImage:
        """Drive on until a new frame has been labelled."""
        del self.labels[:]
        first_ns = self.stamp_ns + PERIOD_NS

        def labelled() -> bool:
            self.show(**size)
            return any(nanoseconds(label.header.stamp) >= first_ns for label in self.labels)

        self.tester.wait_until(labelled, what)
        return self.labels[-1]

    def wait_for_status(self, sentence: str, change: Change | None = None, only: str = "") -> None:
        """Drive on with the change until /diagnostics says the sentence."""

        def told() -> bool:
            self.show(change, only)
            found = any(sentence in message.status[0].message for message in self.diagnostics)
            del self.diagnostics[:-1]
            return found

        self.tester.wait_until(told, f"the status {sentence!r}")

    def transition(self, *transitions: int) -> None:
        """Ask for lifecycle transitions, one after the other."""
        client = self.tester.node.create_client(ChangeState, "/pseudo_label_node/change_state")
        self.tester.wait_until(client.service_is_ready, "the lifecycle service")
        for number in transitions:
            answer = client.call_async(ChangeState.Request(transition=Transition(id=number)))
            self.tester.wait_until(answer.done, "the transition")
            assert answer.result().success


@pytest.fixture(scope="module")
def vehicle(
    module_tester: Any, start_module_process: Any, stereo_picture: Callable[..., Picture]
) -> Iterator[Vehicle]:
    process = start_module_process("cups_ros.pseudo_label_node")
    vehicle = Vehicle(process, module_tester, stereo_picture)
    vehicle.ready()
    yield vehicle
    # Under ros2 launch Ctrl-C arrives twice.
    process.process.send_signal(2)
    assert process.stop() == 0, process.output
    assert "Traceback" not in process.output


def test_labels_carry_the_left_header_untouched(vehicle: Vehicle) -> None:
    label = vehicle.wait_for_label("a label")
    assert label.header.frame_id == "left_optical"
    assert nanoseconds(label.header.stamp) % PERIOD_NS == 0
    assert label.segment_map.header == label.header
    assert (label.segment_map.width, label.segment_map.height) == (256, 128)
    assert label.recipe
    assert label.processing_time.nanosec > 0


def test_the_optional_outputs_come_when_somebody_listens(vehicle: Vehicle) -> None:
    kinds = {
        "disparity": DisparityImage,
        "depth": Image,
        "objects": MarkerArray,
        "points": PointCloud2,
        "overlay": Image,
    }
    found = {
        name: vehicle.tester.collect(kind, f"/pseudo_label_node/{name}")
        for name, kind in kinds.items()
    }

    def all_came() -> bool:
        vehicle.show()
        return all(found.values())

    vehicle.tester.wait_until(all_came, "every output")
    depth = found["depth"][-1]
    metres = np.frombuffer(depth.data, np.float32)
    # fx 200, baseline 0.5 m, the wall at 8 pixels of disparity
    assert np.nanmedian(metres) == pytest.approx(12.5, rel=0.02)
    assert found["disparity"][-1].header.frame_id == "left_optical"
    assert found["overlay"][-1].encoding == "rgb8"
    assert found["points"][-1].width > 1000


def _set(index: int, **fields: Any) -> Change:
    def change(messages: Picture) -> None:
        for name, value in fields.items():
            setattr(messages[index], name, value)

    return change


def _shift(value: float) -> Change:
    def change(messages: Picture) -> None:
        messages[3].p[3] = value

    return change


def _truncated(messages: Picture) -> None:
    messages[0].data = messages[0].data[:-100]


def _half_height(messages: Picture) -> None:
    right = messages[1]
    right.height //= 2
    right.data = right.data[: right.height * right.step]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_half_height, "/right/image_rect: expected 256x128 pixels as /right/camera_info says"),
        (_set(3, width=128), "/right/camera_info: expected the size of /left/camera_info"),
        (_shift(0.0), "/right/camera_info: the baseline is 0.000 m"),
        (_shift(100.0), "/right/camera_info: the baseline is -0.500 m"),
        (_set(2, k=np.zeros(9)), "/left/camera_info: the camera is not calibrated"),
        (_set(0, encoding="nv99"), "/left/image_rect: unknown encoding 'nv99'"),
        (_truncated, "/left/image_rect: expected height x step = 98304 bytes, found 98204"),
    ],
)
def test_a_bad_frame_is_told_and_the_node_goes_on(
    vehicle: Vehicle, change: Change, sentence: str
) -> None:
    vehicle.wait_for_status(sentence, change)
    vehicle.wait_for_label("a label after the bad frames")
    vehicle.wait_for_status("running")


def test_unequal_stamps_are_told_with_their_distance(vehicle: Vehicle) -> None:
    def late(messages: Picture) -> None:
        messages[1].header.stamp = time_message(vehicle.stamp_ns + 40 * MS)

    vehicle.wait_for_status("but their stamps are 40.0 ms apart and the tolerance is 5 ms", late)
    vehicle.wait_for_label("a label after the unequal stamps")


def test_a_missing_right_image_is_named(vehicle: Vehicle) -> None:
    vehicle.wait_for_status("/right/image_rect: published, but nothing arrives", only="left")
    vehicle.wait_for_label("a label after the right camera is back")


def test_a_missing_camera_info_is_named(vehicle: Vehicle) -> None:
    # The camera_infos are latched until the node is deactivated.
    vehicle.transition(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
    vehicle.ready()
    missing = "/left/camera_info, /right/camera_info: published, but nothing arrives"
    vehicle.wait_for_status(missing, only="image_rect")
    vehicle.wait_for_label("a label after the camera_info has come")


def test_a_drive_that_loops_goes_on_after_the_jump(vehicle: Vehicle) -> None:
    vehicle.wait_for_label("a label before the jump")
    vehicle.stamp_ns -= 200 * PERIOD_NS
    vehicle.wait_for_label("a label after the jump")
    del vehicle.diagnostics[:]
    vehicle.tester.wait_until(lambda: vehicle.diagnostics, "diagnostics")
    values = {item.key: item.value for item in vehicle.diagnostics[-1].status[0].values}
    assert int(values["clock jumps"]) >= 1


def test_a_resolution_that_changes_goes_on_in_the_new_size(vehicle: Vehicle) -> None:
    vehicle.wait_for_label("a label before the change")

    def labelled() -> bool:
        vehicle.show(width=192, height=96)
        return bool(vehicle.labels) and vehicle.labels[-1].segment_map.width == 192

    vehicle.tester.wait_until(labelled, "a label of the new size")
    assert vehicle.labels[-1].segment_map.height == 96
    vehicle.wait_for_label("a label of the old size")


def test_the_diagnostics_name_what_was_dropped_and_why(vehicle: Vehicle) -> None:
    vehicle.transition(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
    vehicle.ready()
    vehicle.show(only="left")
    vehicle.wait_for_label("a label")
    del vehicle.diagnostics[:]
    vehicle.tester.wait_until(lambda: vehicle.diagnostics, "diagnostics")
    values = {item.key: item.value for item in vehicle.diagnostics[-1].status[0].values}
    assert values["dropped: /left/image_rect: no partner within the tolerance"] == "1"
    assert float(values["latency p95 [ms]"]) > 0
    assert float(values["memory [MiB]"]) > 50
