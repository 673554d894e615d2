"""The harvest node without labels: budget, compressed images, pauses, a disk in need of space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cups_msgs.msg import PanopticImage
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from mcap.reader import make_reader
from rclpy.lifecycle.node import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from cups_core.rig import StereoRig
from cups_ros.camera_info import camera_infos
from cups_ros.harvest_node import HarvestNode
from cups_ros.stamps import nanoseconds, time_message

MS = 1_000_000
WIDTH, HEIGHT = 96, 64
SIDES = ("left", "right")
KINDS = {"raw": (Image, "image_rect"), "compressed": (CompressedImage, "image_rect/compressed")}
RIG = StereoRig(np.array([[80.0, 0, 48], [0, 80.0, 32], [0, 0, 1]]), 0.5, WIDTH, HEIGHT)


class Harvester:
    """The node in this process, a camera, and what the node says."""

    def __init__(self, tester: Any, folder: Path, transport: str, **parameters: Any) -> None:
        self.tester, self.folder, self.transport = tester, folder, transport
        self.node = HarvestNode()
        values = {
            "bag.folder": str(folder),
            "bag.free_reserve_gb": 0.0,
            "input.image_transport": transport,
            **{name.replace("__", "."): value for name, value in parameters.items()},
        }
        results = self.node.set_parameters([Parameter(k, value=v) for k, v in values.items()])
        assert all(result.successful for result in results), results
        tester.add(self.node)
        kind, topic = KINDS[transport]
        create = tester.node.create_publisher
        self.images = [create(kind, f"{side}/{topic}", 50) for side in SIDES]
        self.infos = [create(CameraInfo, f"{side}/camera_info", 50) for side in SIDES]
        self.labels = create(PanopticImage, "pseudo_label_node/pseudo_label", 50)
        self.diagnostics = tester.collect(DiagnosticArray, "/diagnostics")
        self.sent: dict[int, list[Any]] = {}
        self.stamp_ns = 10**12

    def start(self) -> None:
        """Configure and activate, and wait for discovery both ways."""
        assert self.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        self.activate()

    def activate(self) -> None:
        assert self.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        publishers = [*self.images, *self.infos]
        topics = [publisher.topic_name for publisher in publishers]
        self.tester.wait_until(
            lambda: (
                all(publisher.get_subscription_count() for publisher in publishers)
                and all(self.node.count_publishers(topic) for topic in topics)
            ),
            "the node's subscriptions",
        )
        self.tester.work(1.0)
        # Each activation counts anew.
        self.seen_before = -len(self.sent)

    def deactivate(self) -> None:
        assert self.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS

    def show(self, place: int, period_ms: int = 100, ahead: int = 0) -> None:
        """Publish a pair that shows a place and wait until the node lags by `ahead` at most."""
        self.stamp_ns += period_ms * MS
        rng = np.random.default_rng(place)
        picture = cv2.resize(rng.integers(30, 220, (18, 32, 3), np.uint8), (WIDTH, HEIGHT))
        for publisher, info in zip(self.infos, camera_infos(RIG), strict=True):
            info.header = self._header()
            publisher.publish(info)
        self.sent[self.stamp_ns] = [self._message(picture) for _ in SIDES]
        for publisher, message in zip(self.images, self.sent[self.stamp_ns], strict=True):
            publisher.publish(message)
        expected = self.seen_before + len(self.sent) - ahead
        self.tester.wait_until(lambda: self.node._recorder.seen >= expected, "the pair")

    def values(self) -> dict[str, str]:
        """The next diagnostics of the node."""
        return {item.key: item.value for item in self.status().values}

    def status(self) -> DiagnosticStatus:
        del self.diagnostics[:]
        self.tester.wait_until(lambda: self.diagnostics, "diagnostics")
        return self.diagnostics[-1].status[0]

    def recorded(self, kind: type[Any]) -> list[tuple[str, Any]]:
        """The recorded messages of a type with their topics, deserialised."""
        found = []
        for path in sorted(self.folder.glob("*/*.mcap")):
            with path.open("rb") as stream:
                for schema, channel, message in make_reader(stream).iter_messages():
                    assert schema is not None
                    if schema.name.endswith(f"/{kind.__name__}"):
                        found.append((channel.topic, deserialize_message(message.data, kind)))
        return found

    def _header(self) -> Header:
        return Header(stamp=time_message(self.stamp_ns), frame_id="left_optical")

    def _message(self, picture: np.ndarray[Any, Any]) -> Any:
        if self.transport == "compressed":
            data = cv2.imencode(".jpg", picture)[1].tobytes()
            return CompressedImage(header=self._header(), format="jpeg", data=data)
        return Image(
            header=self._header(),
            height=HEIGHT,
            width=WIDTH,
            encoding="rgb8",
            step=3 * WIDTH,
            data=picture.tobytes(),
        )


@pytest.fixture
def make_harvester(tester: Any, tmp_path: Path) -> Iterator[Callable[..., Harvester]]:
    made: list[Harvester] = []

    def make(transport: str = "raw", **parameters: Any) -> Harvester:
        made.append(Harvester(tester, tmp_path / "kept", transport, **parameters))
        return made[-1]

    yield make
    for harvester in made:
        harvester.node.stop()
        harvester.node.destroy_node()


def test_minutes_of_new_places_spend_the_budget_within_ten_percent(
    make_harvester: Callable[..., Harvester],
) -> None:
    budget_gb_per_hour = 0.06
    harvester = make_harvester(
        harvest__budget_gb_per_hour=budget_gb_per_hour,
        harvest__savings_s=10.0,
        bag__compression="none",
    )
    harvester.start()
    # The budget goes by the stamps, so minutes need not take minutes.
    for place in range(600):
        harvester.show(place, period_ms=480, ahead=4)
    harvester.deactivate()
    written = sum(path.stat().st_size for path in harvester.folder.glob("*/*.mcap"))
    assert written == pytest.approx(budget_gb_per_hour * 1e9 / 3600 * 288, rel=0.1)


def test_compressed_images_are_recorded_as_they_came(
    make_harvester: Callable[..., Harvester],
) -> None:
    harvester = make_harvester("compressed", bag__compression="none")
    harvester.start()
    for place in range(12):
        harvester.show(place)
    values = harvester.values()
    harvester.deactivate()
    found = harvester.recorded(CompressedImage)
    assert {topic for topic, _ in found} == {f"/{s}/image_rect/compressed" for s in SIDES}
    for _, message in found:
        assert message in harvester.sent[nanoseconds(message.header.stamp)]
    assert len(found) >= 6
    assert values["pseudo-labels"] == "none come: chosen by novelty alone"


def test_pausing_closes_the_file_and_going_on_begins_another(
    make_harvester: Callable[..., Harvester],
) -> None:
    harvester = make_harvester()
    harvester.start()
    for round_of_two in range(2):
        for place in range(8):
            harvester.show(100 * round_of_two + place)
        harvester.deactivate()
        files = sorted(path.name for path in harvester.folder.glob("*/*.mcap"))
        assert len(files) == round_of_two + 1
        assert not any("unfinished" in name for name in files)
        if round_of_two == 0:
            harvester.activate()
    # Each file begins with the calibration.
    assert len({topic for topic, _ in harvester.recorded(CameraInfo)}) == 2


def test_a_disk_in_need_of_space_is_told_and_the_node_goes_on_seeing(
    make_harvester: Callable[..., Harvester], capfd: Any
) -> None:
    harvester = make_harvester(bag__free_reserve_gb=1e6)
    harvester.start()
    for place in range(20):
        harvester.show(place)
    status = harvester.status()
    values = {item.key: item.value for item in status.values}
    assert status.level == DiagnosticStatus.WARN
    assert "and a reserve of" in status.message
    assert values["state"] == "stopped"
    assert values["pairs seen"] == "20"
    assert values["pairs kept"] == "0"
    assert int(values["dropped: disk full or failing"]) > 10
    harvester.deactivate()
    assert not list(harvester.folder.iterdir())
    assert "".join(capfd.readouterr()).count("recording stopped, the drive goes on") == 1


def test_a_label_without_a_size_and_a_broken_picture_are_skipped_and_counted(
    make_harvester: Callable[..., Harvester],
) -> None:
    harvester = make_harvester()
    harvester.start()
    harvester.show(0)
    harvester.labels.publish(PanopticImage(header=harvester._header()))
    harvester.tester.wait_until(lambda: harvester.node._failed == 1, "the label")
    harvester.show(1)
    assert harvester.values()["dropped: cannot be read"] == "1"


def test_recordings_cut_off_by_a_crash_are_told_at_the_start(
    make_harvester: Callable[..., Harvester], capfd: Any
) -> None:
    harvester = make_harvester()
    (harvester.folder / "harvest_old").mkdir(parents=True)
    (harvester.folder / "harvest_old/harvest_old_3.unfinished.mcap").write_bytes(b"")
    harvester.start()
    assert "1 recordings were cut off" in "".join(capfd.readouterr())


def test_a_folder_that_cannot_be_used_fails_the_configuration_and_can_be_corrected(
    make_harvester: Callable[..., Harvester], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    harvester = make_harvester(bag__folder=str(tmp_path / "file/deep"))
    assert harvester.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    harvester.node.set_parameters([Parameter("bag.folder", value=str(tmp_path / "good"))])
    assert harvester.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
