"""Writes a synthetic drive as a ROS 2 bag (MCAP): stereo images, calibration, truth.

The command line and the demo call it; `rosbags` writes, no ROS installation is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cups_core.errors import InputError
from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.rig import StereoRig
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.truth import FrameTruth

LEFT_FRAME = "left_camera_optical_frame"
"""Both images carry it: P of a rectified pair refers to the left camera (CameraInfo)."""

_IMAGE = "sensor_msgs/msg/Image"
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_TOPICS = {
    "/stereo/left/image_rect": _IMAGE,
    "/stereo/right/image_rect": _IMAGE,
    "/stereo/left/camera_info": _CAMERA_INFO,
    "/stereo/right/camera_info": _CAMERA_INFO,
    "/truth/disparity": _IMAGE,
    "/truth/flow": _IMAGE,
    "/truth/flow_backward": _IMAGE,
    "/truth/semantic": _IMAGE,
    "/truth/instance": _IMAGE,
    "/truth/moving_instance": _IMAGE,
}


def write_bag(
    drive: SyntheticDrive,
    path: Path,
    *,
    with_truth: bool = True,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write every frame of a drive into a new bag.

    `/truth/flow` leads from each left image to the next one, `/truth/flow_backward` to the one
    before.

    Args:
        drive: what to record.
        path: directory of the bag; must not exist yet.
        with_truth: whether to write the `/truth` topics too.
        progress: is told the number of frames written so far.

    Raises:
        InputError: the path exists.
    """
    if path.exists():
        raise InputError(f"bag: {path} exists already; choose another name or remove it first")
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in _TOPICS.items()
            if with_truth or topic.startswith("/stereo")
        }
        for index in range(len(drive)):
            frame = drive.frame(index)
            messages = _stereo_messages(store, frame)
            if with_truth:
                messages |= _truth_messages(store, drive.truth(index))
            for topic, message in messages.items():
                raw = store.serialize_cdr(message, message.__msgtype__)
                writer.write(connections[topic], frame.stamp_ns, raw)
            if progress:
                progress(index + 1)


def _stereo_messages(store: Any, frame: StereoFrame) -> dict[str, Any]:
    header = _header(store, frame.stamp_ns)
    return {
        "/stereo/left/image_rect": _image(store, header, frame.left, "rgb8"),
        "/stereo/right/image_rect": _image(store, header, frame.right, "rgb8"),
        "/stereo/left/camera_info": _camera_info(store, header, frame.rig, 0.0),
        "/stereo/right/camera_info": _camera_info(
            store, header, frame.rig, -frame.rig.focal_baseline
        ),
    }


def _truth_messages(store: Any, truth: FrameTruth) -> dict[str, Any]:
    header = _header(store, truth.stamp_ns)
    return {
        "/truth/disparity": _image(store, header, truth.disparity, "32FC1"),
        "/truth/flow": _image(store, header, truth.flow_forward, "32FC2"),
        "/truth/flow_backward": _image(store, header, truth.flow_backward, "32FC2"),
        "/truth/semantic": _image(store, header, truth.semantic, "mono8"),
        "/truth/instance": _image(store, header, truth.instance, "16UC1"),
        "/truth/moving_instance": _image(store, header, truth.moving_instance, "16UC1"),
    }


def _header(store: Any, stamp_ns: int) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS_PER_SECOND)
    time = store.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return store.types["std_msgs/msg/Header"](stamp=time, frame_id=LEFT_FRAME)


def _image(store: Any, header: Any, picture: NDArray[Any], encoding: str) -> Any:
    data = np.ascontiguousarray(picture)
    height, width = data.shape[:2]
    return store.types[_IMAGE](
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=data.nbytes // height,
        data=data.reshape(-1).view(np.uint8),
    )


def _camera_info(store: Any, header: Any, rig: StereoRig, shift: float) -> Any:
    P = np.zeros((3, 4))
    P[:, :3] = rig.K
    P[0, 3] = shift
    no_window = store.types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return store.types[_CAMERA_INFO](
        header=header,
        height=rig.height,
        width=rig.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=rig.K.ravel().copy(),
        r=np.eye(3).ravel(),
        p=P.ravel(),
        binning_x=0,
        binning_y=0,
        roi=no_window,
    )
