"""Gathers what a recording holds: topics, stamps, pictures, stereo rigs, damages.

`cups inspect` prints it. But for a few pictures it reads headers only: they tell most of a drive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cups_core.errors import InputError
from cups_core.recording.recording import (
    Damage,
    Recording,
    SourceFile,
    Topic,
    open_recording,
)
from cups_core.recording.stereo_topics import IMAGES, INFO, RAW, StereoTopics, propose
from cups_training.inspection.picture_heads import PictureHead, picture_head
from cups_training.inspection.rig_facts import RigFacts, Stamped, look_at_rig
from cups_training.inspection.stamp_statistics import StampStatistics, stamp_statistics

MOST_CELLS = 60
MESSAGES_PER_CELL = 2
MOST_RIGS = 4


@dataclass(frozen=True)
class TopicFacts:
    """What is known of a topic.

    Attributes:
        topic: name, type, count.
        rate_hz: messages a second.
        stamps: of images and camera_infos; None for others.
        heads: size and encoding of a raw topic's images, with their number.
        timeline: number of messages in each of up to sixty equal parts of the recording.
    """

    topic: Topic
    rate_hz: float
    stamps: StampStatistics | None = None
    heads: Mapping[PictureHead, int] = field(default_factory=dict)
    timeline: tuple[int, ...] = ()


@dataclass(frozen=True)
class DriveFacts:
    """What is known of a recorded drive.

    Attributes:
        name: of the drive.
        bags: as they were named.
        sources: the files.
        start_ns: when the first message was recorded, 0 without messages.
        end_ns: when the last one was.
        topics: by name.
        rigs: the stereo rigs, best first.
        damages: what cannot be read.
        is_verified: whether all messages were read and their checksums verified.
    """

    name: str
    bags: tuple[Path, ...]
    sources: tuple[SourceFile, ...]
    start_ns: int
    end_ns: int
    topics: Mapping[str, TopicFacts]
    rigs: tuple[RigFacts, ...]
    damages: tuple[Damage, ...]
    is_verified: bool


def look_at_drive(
    name: str, bags: Sequence[Path], given: Mapping[str, str], *, verify: bool
) -> DriveFacts:
    """Look into a drive.

    Args:
        name: of the drive.
        bags: its parts.
        given: topics by role ("left_image", ...) that are the rig's, whatever their names propose.
        verify: read all messages, to verify the checksums.

    Raises:
        RecordingError: nothing can be read.
    """
    with open_recording(bags) as recording:
        seen = _look_at_stamped(recording, verify)
        rigs = [
            look_at_rig(recording, rig, seen)
            for rig in _rigs(recording, given)
            if all(seen[name].stamps_ns for name in (rig.left_image, rig.right_image))
        ]
        start_ns, end_ns = recording.start_ns or 0, recording.end_ns or 0
        topics = {
            name: _topic_facts(topic, seen.get(name), start_ns, end_ns)
            for name, topic in sorted(recording.topics.items())
        }
        return DriveFacts(
            name=name,
            bags=tuple(bags),
            sources=recording.sources,
            start_ns=start_ns,
            end_ns=end_ns,
            topics=topics,
            rigs=tuple(rigs),
            damages=tuple(recording.damages),
            is_verified=verify,
        )


def _look_at_stamped(recording: Recording, verify: bool) -> dict[str, Stamped]:
    """The stamps of all images and camera_infos."""
    kinds = {name: topic.type_name for name, topic in recording.topics.items()}
    wanted = list(kinds) if verify else [n for n, kind in kinds.items() if kind in (*IMAGES, INFO)]
    seen = {name: Stamped() for name in kinds if kinds[name] in (*IMAGES, INFO)}
    for order, message in enumerate(recording.messages(wanted, beginnings=not verify)):
        stamped = seen.get(message.topic)
        if stamped is None:
            continue
        if len(message.raw) < 12:
            stamped.broken += 1
            continue
        stamped.stamps_ns.append(message.stamp_ns)
        stamped.recorded_ns.append(message.recorded_ns)
        stamped.orders.append(order)
        if message.type_name == RAW and (head := picture_head(message)) is not None:
            stamped.heads[head] += 1
    return seen


def _rigs(recording: Recording, given: Mapping[str, str]) -> list[StereoTopics]:
    proposed = propose(recording.topics.values())[:MOST_RIGS]
    if not given:
        return proposed
    for role, name in given.items():
        expected = (INFO,) if role.endswith("info") else IMAGES
        found = recording.topics[name].type_name if name in recording.topics else "no such topic"
        if found not in expected:
            raise InputError(
                f"--topics: expected {name} for {role} as {' or '.join(expected)}, found {found}"
            )
    roles: dict[str, Any] = dict.fromkeys(("left_info", "right_info"))
    roles |= vars(proposed[0]) if proposed else {}
    roles |= given
    return [StereoTopics(**roles)] if {"left_image", "right_image"} <= roles.keys() else []


def _topic_facts(topic: Topic, seen: Stamped | None, start_ns: int, end_ns: int) -> TopicFacts:
    length_s = (end_ns - start_ns) / 1e9
    if seen is None or not seen.stamps_ns:
        rate_hz = max(0, (topic.count or 0) - 1) / length_s if length_s else 0.0
        return TopicFacts(topic, rate_hz)
    stamps = stamp_statistics(seen.stamps_ns, seen.recorded_ns)
    cells = [0] * max(1, min(MOST_CELLS, stamps.count // MESSAGES_PER_CELL))
    for recorded_ns in seen.recorded_ns:
        place = (recorded_ns - start_ns) * len(cells) // max(1, end_ns - start_ns)
        cells[min(len(cells) - 1, place)] += 1
    return TopicFacts(topic, stamps.rate_hz, stamps, dict(seen.heads), tuple(cells))
