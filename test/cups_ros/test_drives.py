"""Drives are read to the last good message, and each damage is one clear sentence."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from cups_core.recording.bag_folder import is_bag
from cups_ros.bag_drive import BagDrive
from cups_ros.camera_info import stereo_rig
from cups_ros.drive_source import BagError, Channel, with_stamp
from cups_ros.image_conversion import rgb_image
from cups_ros.image_folder_drive import ImageFolderDrive
from cups_ros.stamps import nanoseconds, time_message

STORE = get_typestore(Stores.ROS2_KILTED)
FRAMES = 12
PERIOD_NS = 100_000_000
TOPICS = (
    "/rig/left/image_rect",
    "/rig/right/image_rect",
    "/rig/left/camera_info",
    "/rig/right/camera_info",
)
TYPES = {topic: "Image" if "image" in topic else "CameraInfo" for topic in TOPICS}
Write = Callable[..., Path]


@pytest.fixture
def write_bag(tmp_path: Path, stereo_picture: Callable[..., tuple[Any, ...]]) -> Write:
    def write(
        plugin: StoragePlugin = StoragePlugin.MCAP,
        frames: int = FRAMES,
        topics: tuple[str, ...] = TOPICS,
    ) -> Path:
        path = tmp_path / f"drive_{plugin.name}"
        with Writer(path, version=9, storage_plugin=plugin) as writer:
            connections = [
                writer.add_connection(topic, f"sensor_msgs/msg/{TYPES[topic]}", typestore=STORE)
                for topic in topics
            ]
            for number in range(frames):
                stamp_ns = (1 + number) * PERIOD_NS
                by_topic = dict(zip(TOPICS, stereo_picture(stamp_ns), strict=True))
                for connection in connections:
                    # The time of recording is later than the stamp, as in every real bag.
                    data = serialize_message(by_topic[connection.topic])
                    writer.write(connection, stamp_ns + 5_000_000, data)
        return path

    return write


def data_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in (".mcap", ".db3"))


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_bag_gives_its_messages_with_the_stamps_of_their_headers(
    write_bag: Write, plugin: StoragePlugin
) -> None:
    drive = BagDrive(write_bag(plugin), {})
    messages = list(drive.messages())
    assert [m.channel for m in messages[:4]] == list(Channel)
    assert [m.stamp_ns for m in messages[::4]] == [(1 + i) * PERIOD_NS for i in range(FRAMES)]
    image = deserialize_message(messages[0].data, Image)
    assert nanoseconds(image.header.stamp) == messages[0].stamp_ns
    assert not drive.is_compressed


def test_a_ros_1_bag_plays_as_well(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    header = types["std_msgs/msg/Header"](
        seq=1, stamp=types["builtin_interfaces/msg/Time"](sec=3, nanosec=4), frame_id="camera"
    )
    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    image = types["sensor_msgs/msg/Image"](
        header, 2, 3, "mono8", 0, 3, np.arange(6, dtype=np.uint8)
    )
    info = types["sensor_msgs/msg/CameraInfo"](
        header,
        2,
        3,
        "plumb_bob",
        np.zeros(5),
        np.arange(9.0),
        np.zeros(9),
        np.arange(12.0),
        0,
        0,
        roi,
    )
    with Rosbag1Writer(tmp_path / "drive.bag") as writer:
        for topic in TOPICS:
            message_type = f"sensor_msgs/msg/{TYPES[topic]}"
            connection = writer.add_connection(topic, message_type, typestore=store)
            message = image if TYPES[topic] == "Image" else info
            writer.write(connection, 1, store.serialize_ros1(message, message_type))
    found = {m.channel: m for m in BagDrive(tmp_path / "drive.bag", {}).messages()}
    assert found[Channel.LEFT_IMAGE].stamp_ns == 3_000_000_004
    played = deserialize_message(found[Channel.LEFT_IMAGE].data, Image)
    assert (played.encoding, bytes(played.data)) == ("mono8", bytes(range(6)))
    played = deserialize_message(found[Channel.RIGHT_INFO].data, CameraInfo)
    assert played.k[4] == 4.0
    assert played.p[11] == 11.0


def test_a_bag_without_metadata_is_read_from_its_data_file(write_bag: Write) -> None:
    bag = write_bag(StoragePlugin.SQLITE3)
    (bag / "metadata.yaml").unlink()
    assert is_bag(bag)
    assert len(list(BagDrive(bag, {}).messages())) == 4 * FRAMES


def test_an_empty_bag_says_so(write_bag: Write) -> None:
    with pytest.raises(BagError, match="the bag holds no messages"):
        BagDrive(write_bag(frames=0), {})


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (
            1,
            "no two topics look like the left and the right camera's "
            r"\(type sensor_msgs/msg/Image or .*\); .*left_image_topic",
        ),
        (
            2,
            r"no topic looks like the left camera's \(type sensor_msgs/msg/CameraInfo\); "
            ".*left_info_topic",
        ),
    ],
)
def test_a_bag_without_a_stereo_topic_lists_what_it_has(
    write_bag: Write, missing: int, sentence: str
) -> None:
    bag = write_bag(topics=tuple(t for t in TOPICS if t != TOPICS[missing]))
    with pytest.raises(BagError, match=f"{re.escape(str(bag))}: {sentence}"):
        BagDrive(bag, {})


def test_a_topic_named_by_hand_must_exist(write_bag: Write) -> None:
    with pytest.raises(
        BagError, match=r"expected /typo for left/image_rect .* found no such topic"
    ):
        BagDrive(write_bag(), {Channel.LEFT_IMAGE: "/typo"})


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_a_bag_cut_in_half_plays_its_beginning_and_ends_with_one_sentence_of_advice(
    write_bag: Write, plugin: StoragePlugin
) -> None:
    bag = write_bag(plugin, frames=40)
    content = data_file(bag).read_bytes()
    data_file(bag).write_bytes(content[: len(content) // 2])
    advice = "mcap recover" if plugin is StoragePlugin.MCAP else "copy the file again"
    played = []
    with pytest.raises(BagError, match=f"the bag is damaged or was not closed.*{advice}"):
        played.extend(BagDrive(bag, {}).messages())
    assert 60 < len(played) < 100


def test_a_bag_damaged_in_the_middle_gives_what_is_good_and_counts_it(write_bag: Write) -> None:
    bag = write_bag(StoragePlugin.SQLITE3, frames=40)
    content = bytearray(data_file(bag).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3 * 4096] = b"\xff" * (3 * 4096)
    data_file(bag).write_bytes(content)
    good = 0
    with pytest.raises(BagError, match="damaged") as raised:  # noqa: PT012
        for _ in BagDrive(bag, {}).messages():
            good += 1
    assert f"(after {good} good messages)" in str(raised.value)


def test_a_file_that_is_no_bag_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drive.mcap").write_bytes(b"not a bag")
    with pytest.raises(BagError, match="the bag is damaged"):
        BagDrive(tmp_path / "drive.mcap", {})


def test_a_new_stamp_changes_nothing_else() -> None:
    image = CompressedImage(
        header=Header(stamp=time_message(5_000_000_007), frame_id="camera"),
        format="png",
        data=b"abc",
    )
    data = serialize_message(image)
    image.header.stamp = time_message(9_000_000_001)
    assert with_stamp(data, 9_000_000_001) == serialize_message(image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures per side in KITTI's layout."""
    for side, value in (("image_2", 10), ("image_3", 20)):
        (tmp_path / side).mkdir()
        for number in range(2):
            picture = np.full((4, 6, 3), value + number, np.uint8)
            cv2.imwrite(str(tmp_path / side / f"{number:06d}.png"), picture)
    (tmp_path / "calib.txt").write_text(
        "P0: 1 0 0 0 0 1 0 0 0 0 1 0\nP1: 1 0 0 0 0 1 0 0 0 0 1 0\n"
        "P2: 700 0 3 42 0 700 2 0 0 0 1 0\nP3: 700 0 3 -308 0 700 2 0 0 0 1 0\n"
    )
    return tmp_path


def test_a_folder_becomes_messages_with_its_calibration(folder: Path) -> None:
    messages = list(ImageFolderDrive(folder, rate_hz=20.0).messages())
    assert len(messages) == 8
    assert {m.stamp_ns for m in messages} == {1_000_000_000, 1_050_000_000}
    by_channel = {m.channel: m.data for m in messages[4:]}
    infos = [
        deserialize_message(by_channel[channel], CameraInfo)
        for channel in (Channel.LEFT_INFO, Channel.RIGHT_INFO)
    ]
    rig = stereo_rig(*infos, "left", "right")
    assert (rig.baseline_m, rig.shape) == (pytest.approx(0.5), (4, 6))
    right = rgb_image(deserialize_message(by_channel[Channel.RIGHT_IMAGE], Image), "right")
    assert (right == 21).all()


def test_file_names_that_are_stamps_are_the_stamps(folder: Path) -> None:
    for side in ("image_2", "image_3"):
        for number, file in enumerate(sorted((folder / side).iterdir())):
            file.rename(file.with_stem(str(1_700_000_000_000_000_000 + number)))
    stamps = [m.stamp_ns for m in ImageFolderDrive(folder, 10.0).messages()]
    assert stamps[0] == stamps[3] == 1_700_000_000_000_000_000
    assert stamps[4] == 1_700_000_000_000_000_001


def test_camera_calibration_files_are_read(folder: Path) -> None:
    (folder / "calib.txt").unlink()
    for side, shift in (("left", 0), ("right", -70)):
        numbers = f"[700, 0, 3, {shift}, 0, 700, 2, 0, 0, 0, 1, 0]"
        (folder / f"{side}.yaml").write_text(
            f"projection_matrix:\n  rows: 3\n  cols: 4\n  data: {numbers}\n"
        )
    assert ImageFolderDrive(folder, 10.0).rig.baseline_m == pytest.approx(0.1)


def _no_calibration(folder: Path) -> None:
    (folder / "calib.txt").unlink()


def _short_calibration(folder: Path) -> None:
    (folder / "calib.txt").write_text("P2: 700 0 3\n")


def _swapped_calibration(folder: Path) -> None:
    text = (folder / "calib.txt").read_text()
    (folder / "calib.txt").write_text(text.replace("-308", "308"))


def _picture_missing(folder: Path) -> None:
    (folder / "image_3/000001.png").unlink()


def _picture_damaged(folder: Path) -> None:
    (folder / "image_3/000001.png").write_bytes(b"no picture")


def _right_missing(folder: Path) -> None:
    shutil.rmtree(folder / "image_3")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_no_calibration, "no calibration; expected calib.txt"),
        (_short_calibration, "calib.txt: expected P2 and P3 with 12 numbers each, found neither"),
        (_swapped_calibration, "calib.txt: the baseline is -0.380 m .* swapped"),
        (_picture_missing, "found 1 without partner: .*image_2/000001.png"),
        (_picture_damaged, "image_3/000001.png: expected a PNG or JPEG picture"),
        (_right_missing, "names in image_2 and image_3, found 2 and 0 pictures"),
    ],
)
def test_a_folder_that_is_not_whole_says_what_is_missing(
    folder: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(folder)
    with pytest.raises(BagError, match=sentence):
        list(ImageFolderDrive(folder, 10.0).messages())
