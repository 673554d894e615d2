"""The exact truth in the bag of a synthetic drive, frame by frame; the demo scores against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from cups_core.metrics.motion_masks import MotionTruth

MOVERS, INSTANCES, DISPARITY, CAMERA = TOPICS = (
    "/truth/moving_instance",
    "/truth/instance",
    "/truth/disparity",
    "/stereo/right/camera_info",
)


def read_truth(bag: Path) -> Iterator[tuple[int, MotionTruth]]:
    """Stamp and truth of every frame; nothing where the bag holds none.

    Args:
        bag: a ROS 2 bag as `cups_training.synthetic` writes it, or any other drive.
    """
    if not (bag / "metadata.yaml").is_file():
        return
    with AnyReader([bag]) as reader:
        connections = [item for item in reader.connections if item.topic in TOPICS]
        if {item.topic for item in connections} != set(TOPICS):
            return
        waiting: dict[int, dict[str, Any]] = {}
        for connection, _, raw in reader.messages(connections):
            message = reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp
            stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
            found = waiting.setdefault(stamp_ns, {})
            found[connection.topic] = message
            if len(found) == len(TOPICS):
                yield stamp_ns, _motion_truth(waiting.pop(stamp_ns))


def _motion_truth(messages: dict[str, Any]) -> MotionTruth:
    movers = _pixels(messages[MOVERS], np.uint16)
    instances = _pixels(messages[INSTANCES], np.uint16)
    return MotionTruth(
        movers=movers,
        static_things=np.where(movers == 0, instances, np.uint16(0)),
        disparity=_pixels(messages[DISPARITY], np.float32),
        # P[3] of the right camera is -fx times the baseline.
        focal_baseline=-float(messages[CAMERA].p[3]),
    )


def _pixels(image: Any, kind: type[np.generic]) -> np.ndarray:
    return np.frombuffer(image.data, kind).reshape(image.height, image.width)
