"""Which topics of a recording are a stereo pair; `cups inspect`, `cups extract` and the player ask.

The names tell: the words for the sides, then rectified pictures before raw ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cups_core.recording.messages import Topic

RAW, COMPRESSED, INFO = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)
SIDE_WORDS = {"left": {"left", "infra1", "cam0"}, "right": {"right", "infra2", "cam1"}}
IMAGE_NAMES = ("image_rect", "image_rect_color", "image_rect_raw", "image", "image_raw")


@dataclass(frozen=True)
class StereoTopics:
    """The topics of a stereo rig; an info topic that the recording lacks is None."""

    left_image: str
    right_image: str
    left_info: str | None
    right_info: str | None


def propose(topics: Iterable[Topic]) -> list[StereoTopics]:
    """What may be stereo rigs, best first."""
    found = list(topics)
    images = [_candidates(found, side, (RAW, COMPRESSED)) for side in ("left", "right")]
    infos = [_candidates(found, side, (INFO,)) for side in ("left", "right")]
    if not all(images):
        return []
    info = [names[0] if names else None for names in infos]
    return [StereoTopics(images[0][0], images[1][0], info[0], info[1])]


def _candidates(topics: list[Topic], side: str, types: tuple[str, ...]) -> list[str]:
    names = [
        topic.name
        for topic in topics
        if topic.type_name in types and SIDE_WORDS[side] & set(re.split(r"[/_]", topic.name))
    ]
    return sorted(names, key=_rank)


def _rank(topic: str) -> tuple[int, bool, str]:
    base = topic.removesuffix("/compressed")
    leaf = base.rpartition("/")[2]
    place = IMAGE_NAMES.index(leaf) if leaf in IMAGE_NAMES else len(IMAGE_NAMES)
    return place, base != topic, topic
