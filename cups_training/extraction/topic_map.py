"""Which topics are the two cameras', as people say it or as the recording's names propose it.

`cups extract` reads its --topics argument here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cups_core.errors import InputError, RecordingError
from cups_core.recording.recording import Recording
from cups_core.recording.stereo_topics import COMPRESSED, INFO, RAW, propose


@dataclasses.dataclass(frozen=True)
class TopicMap:
    """The four topics of a stereo drive."""

    left_image: str
    right_image: str
    left_info: str
    right_info: str

    @property
    def images(self) -> tuple[str, str]:
        """Left and right."""
        return self.left_image, self.right_image

    @property
    def infos(self) -> tuple[str, str]:
        """Left and right."""
        return self.left_info, self.right_info

    def row(self) -> dict[str, str]:
        """As JSON keeps it."""
        return dataclasses.asdict(self)


ROLES = tuple(field.name for field in dataclasses.fields(TopicMap))


def topics_from_words(words: str) -> dict[str, str]:
    """Topics by role of an argument such as "left_image=/a,right_image=/b".

    Raises:
        InputError: it is not of this form.
    """
    found = {}
    for word in filter(None, words.split(",")):
        role, equals, topic = word.partition("=")
        if role not in ROLES or not topic:
            raise InputError(f"--topics: expected ROLE=TOPIC with {', '.join(ROLES)}, found {word}")
        found[role] = topic
    return found


def chosen_topics(recording: Recording, given: Mapping[str, str], name: str) -> TopicMap:
    """The topics that are given, and for the others what the names propose.

    Args:
        recording: that has the topics.
        given: topics by role.
        name: of the drive, for the error message.

    Raises:
        RecordingError: the recording is too damaged to hold any.
        InputError: a role has no topic, or a topic has another type or does not exist.
    """
    known = recording.topics
    if not known:
        found_wrong = "; ".join(map(str, recording.damages)) or "it is empty: record it again"
        raise RecordingError(f"{name}: expected a recording with topics, found none: {found_wrong}")
    proposed = next(iter(propose(known.values())), None)
    found = {role: given.get(role) or getattr(proposed, role, None) for role in ROLES}
    has = ", ".join(f"{topic.name} ({topic.type_name})" for topic in known.values()) or "no topics"
    missing = [role for role, topic in found.items() if topic is None]
    if missing:
        raise InputError(
            f"{name}: no topic for {', '.join(missing)}; name them with --topics ROLE=TOPIC,...; "
            f"the recording has {has}"
        )
    for role, topic in ((role, str(topic)) for role, topic in found.items()):
        expected = (INFO,) if role.endswith("info") else (RAW, COMPRESSED)
        if topic not in known or known[topic].type_name not in expected:
            raise InputError(
                f"{name}: expected {topic} for {role} as {' or '.join(expected)}, found "
                f"{known[topic].type_name if topic in known else 'no such topic'}; the recording "
                f"has {has}"
            )
    return TopicMap(**{role: str(topic) for role, topic in found.items()})
