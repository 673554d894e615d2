"""The bag of a synthetic drive holds, for an independent reader, what the drive made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_training.synthetic.bag import LEFT_FRAME, write_bag
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

rosbags = pytest.importorskip("rosbags.highlevel")

_TYPES = {
    "rgb8": (np.uint8, 3),
    "mono8": (np.uint8, 1),
    "16UC1": (np.uint16, 1),
    "32FC1": (np.float32, 1),
    "32FC2": (np.float32, 2),
}


def test_what_is_written_is_what_anyreader_reads(tmp_path: Path, small: DriveSettings) -> None:
    drive = SyntheticDrive(dataclasses.replace(small, frames=3), 3)
    told: list[int] = []
    write_bag(drive, tmp_path / "bag", progress=told.append)
    assert told == [1, 2, 3]
    frame, truth = drive.frame_with_truth(1)
    expected = {
        "/stereo/left/image_rect": frame.left,
        "/stereo/right/image_rect": frame.right,
        "/truth/disparity": truth.disparity,
        "/truth/flow": truth.flow_forward,
        "/truth/flow_backward": truth.flow_backward,
        "/truth/semantic": truth.semantic,
        "/truth/instance": truth.instance,
        "/truth/moving_instance": truth.moving_instance,
    }
    seen = set()
    with rosbags.AnyReader([tmp_path / "bag"]) as reader:
        assert reader.message_count == 3 * (len(expected) + 2)
        for connection, received_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            assert stamp_ns == received_ns
            assert message.header.frame_id == LEFT_FRAME
            if stamp_ns != frame.stamp_ns:
                continue
            seen.add(connection.topic)
            if connection.topic.endswith("camera_info"):
                P = message.p.reshape(3, 4)
                np.testing.assert_array_equal(P[:, :3], drive.rig.K)
                shift = -drive.rig.fx * drive.rig.baseline_m if "right" in connection.topic else 0.0
                assert P[0, 3] == pytest.approx(shift)
                assert (message.width, message.height) == (192, 96)
                continue
            kind, channels = _TYPES[message.encoding]
            picture = message.data.view(kind).reshape(message.height, message.width, channels)
            np.testing.assert_array_equal(picture.squeeze(), expected[connection.topic])
            assert message.step == message.width * channels * np.dtype(kind).itemsize
    assert seen == {*expected, "/stereo/left/camera_info", "/stereo/right/camera_info"}


def test_a_bag_without_truth_has_the_sensor_topics_alone(
    tmp_path: Path, small: DriveSettings
) -> None:
    write_bag(
        SyntheticDrive(dataclasses.replace(small, frames=1), 3), tmp_path / "bag", with_truth=False
    )
    with rosbags.AnyReader([tmp_path / "bag"]) as reader:
        assert all(topic.startswith("/stereo/") for topic in reader.topics)
        assert len(reader.topics) == 4


def test_an_existing_path_is_refused(tmp_path: Path, small: DriveSettings) -> None:
    with pytest.raises(InputError, match="exists already"):
        write_bag(SyntheticDrive(small, 3), tmp_path)
