"""Which topics of a recording are a stereo rig; `cups inspect`, `cups extract` and the player ask.

Two image topics are a pair where the name of one becomes that of the other when left is read as
right, whatever the driver: `/zed/left/image_rect_color`, `/camera/infra1/image_rect_raw`,
`/cam0/image_raw`, `/front_left/image_raw/compressed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cups_core.recording.messages import Topic

RAW, COMPRESSED, INFO = (
    f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo")
)
IMAGES = (RAW, COMPRESSED)
# From the surest to the least sure way of naming the two sides.
SIDES = (
    re.compile(r"left", re.IGNORECASE),
    re.compile(r"(?<=infra)1(?!\d)|(?<=infrared)1(?!\d)|(?<=fisheye)1(?!\d)"),
    re.compile(r"(?<![a-zA-Z])[lL](?![a-zA-Z])"),
    re.compile(r"(?<=cam)\d+|(?<=camera)\d+|(?<=cam_)\d+|(?<=camera_)\d+|(?<=image_)\d+(?!\d)"),
)
# Image messages with these words in their names are no pictures of a camera.
NO_PICTURES = re.compile(
    r"depth|disparity|confidence|mask|overlay|semantic|panoptic|segment|instance|label|theora|"
    r"flow",
    re.IGNORECASE,
)
# Words that tell one rendering of a camera's pictures from another one.
RENDERINGS = re.compile(
    r"^(|image|img|rect|rectified|raw|color|colour|rgb|bgr|gray|grey|mono|compressed)$"
)
FEWEST_SHARE = 0.5


@dataclass(frozen=True)
class StereoTopics:
    """The topics of a stereo rig; an info topic that the recording lacks is None."""

    left_image: str
    right_image: str
    left_info: str | None
    right_info: str | None


class _Mirror(NamedTuple):
    """What a topic of the left side would be called on the right one.

    Attributes:
        sureness: place in `SIDES`.
        name: on the right side.
    """

    sureness: int
    name: str


def propose(topics: Iterable[Topic]) -> list[StereoTopics]:
    """The stereo rigs in a recording, the best first; of each its most useful pictures.

    Rectified pictures before raw ones, color before gray, plain messages before compressed ones,
    with calibration before without.
    """
    found = {topic.name: topic for topic in topics}
    pictures = {
        name: topic
        for name, topic in found.items()
        if topic.type_name in IMAGES and topic.count != 0 and not NO_PICTURES.search(name)
    }
    infos = {name: topic for name, topic in found.items() if topic.type_name == INFO}
    best: dict[tuple[str, ...], tuple[tuple[object, ...], StereoTopics]] = {}
    for left, topic in pictures.items():
        for mirror in _mirrors(left, pictures):
            right = pictures[mirror.name]
            if right.type_name != topic.type_name:
                continue
            rig = StereoTopics(left, right.name, *_infos(left, mirror, infos))
            ranked = _rank(rig, topic, right, mirror.sureness), rig
            key = _rig_key(left)
            best[key] = min(best.get(key, ranked), ranked, key=lambda item: item[0])
    taken: set[str] = set()
    proposals = []
    for _, rig in sorted(best.values(), key=lambda item: item[0]):
        # In a row of cameras each belongs to one pair.
        if not taken & {rig.left_image, rig.right_image}:
            proposals.append(rig)
            taken |= {rig.left_image, rig.right_image}
    return proposals


def is_rectified(topic: str) -> bool | None:
    """Whether the pictures of a topic are rectified, as far as its name tells."""
    if re.search(r"rect(?!\w*angle)", topic, re.IGNORECASE):
        return "unrect" not in topic.lower()
    return False if re.search(r"raw", topic, re.IGNORECASE) else None


def _mirrors(topic: str, among: Mapping[str, Topic]) -> Iterator[_Mirror]:
    """The topics among others that this one is the left side of."""
    seen = set()
    for sureness, pattern in enumerate(SIDES):
        matches = list(pattern.finditer(topic))
        # All words for the side at once, or one of several.
        for chosen in (matches, *([match] for match in matches)):
            name = topic
            for match in reversed(chosen):
                name = name[: match.start()] + _mate(match.group()) + name[match.end() :]
            if name != topic and name in among and name not in seen:
                seen.add(name)
                yield _Mirror(sureness, name)


def _mate(word: str) -> str:
    if word.isdigit():
        return f"{int(word) + 1:0{len(word)}d}"
    mate = {"left": "right", "l": "r"}[word.lower()]
    if word.isupper():
        return mate.upper()
    return mate.capitalize() if word[0].isupper() else mate


def _infos(left: str, mirror: _Mirror, infos: Mapping[str, Topic]) -> tuple[str | None, str | None]:
    """The calibrations of a pair of image topics."""
    pairs = [
        (_distance(left, info), info, other.name)
        for info in infos
        if left.startswith(_stem(info, mirror.sureness))
        for other in _mirrors(info, infos)
        if other.sureness == mirror.sureness
    ]
    if pairs:
        _, left_info, right_info = min(pairs)
        return left_info, right_info
    alone = [f"{_namespace(name)}/camera_info" for name in (left, mirror.name)]
    return (
        alone[0] if alone[0] in infos else None,
        alone[1] if alone[1] in infos else None,
    )


def _stem(info: str, sureness: int) -> str:
    """What names of the same rig begin with, where the info's own name tells."""
    match = SIDES[sureness].search(info)
    before = info[: match.start()] if match else info
    return re.sub(r"(camera_)?info_?$", "", before)


def _distance(image: str, info: str) -> tuple[bool, int, str]:
    """How far an info lies from an image: 0 in the same namespace, then by common beginning."""
    common = 0
    for a, b in zip(image.split("/"), info.split("/"), strict=False):
        if a != b:
            break
        common += 1
    return _namespace(image) != info.rpartition("/")[0], -common, info


def _namespace(image: str) -> str:
    return image.removesuffix("/compressed").rpartition("/")[0]


def _rig_key(left: str) -> tuple[str, ...]:
    """What all renderings of a camera's pictures have in common."""
    return tuple(word for word in re.split(r"[/_]", left.lower()) if not RENDERINGS.match(word))


def _rank(rig: StereoTopics, left: Topic, right: Topic, sureness: int) -> tuple[object, ...]:
    """Smaller is better."""
    name = rig.left_image
    counts = [topic.count for topic in (left, right) if topic.count is not None]
    is_one_sided = len(counts) == 2 and min(counts) < FEWEST_SHARE * max(counts)
    rectified = is_rectified(name)
    color = re.search(r"colou?r|rgb", name, re.IGNORECASE)
    gray = re.search(r"gr[ae]y|mono", name, re.IGNORECASE)
    odd = re.search(r"\d*[13579](?!\d)", name) if sureness == len(SIDES) - 1 else None
    return (
        is_one_sided,
        sureness == len(SIDES) - 1 and odd is not None,
        rig.left_info is None or rig.right_info is None,
        {True: 0, None: 1, False: 2}[rectified],
        sureness,
        0 if color else 2 if gray else 1,
        left.type_name == COMPRESSED,
        -sum(counts),
        name,
    )
