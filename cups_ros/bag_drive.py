"""A stereo drive from a bag, ROS 2 (MCAP, sqlite3) or ROS 1; `drive_player` plays it.

The messages are passed on as they were recorded, without decoding them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

from cups_core.errors import CupsError
from cups_core.recording.recording import Recording, Topic, open_recording
from cups_core.recording.stereo_topics import COMPRESSED, IMAGES, INFO, propose
from cups_ros.drive_source import BagError, Channel, DriveMessage


class BagDrive:
    """The stereo topics of a bag.

    Attributes:
        topics: the recorded topic of each channel.
        is_compressed: whether the images are CompressedImage messages.
        description: what is played, for people.
    """

    def __init__(self, path: Path, topics: Mapping[Channel, str]) -> None:
        """Look into the bag.

        Args:
            path: the folder or the file.
            topics: names for channels whose topic is not found by itself.

        Raises:
            BagError: it cannot be read, is empty, or lacks a stereo topic.
        """
        self._path = path
        try:
            with open_recording([path]) as recording:
                self.topics = self._found(recording, topics)
                self.description = self._described(recording)
                types = {
                    channel: recording.topics[topic].type_name
                    for channel, topic in self.topics.items()
                }
        except BagError:
            raise
        except CupsError as error:
            raise BagError(str(error)) from error
        self.is_compressed = types[Channel.LEFT_IMAGE] == COMPRESSED
        if self.is_compressed != (types[Channel.RIGHT_IMAGE] == COMPRESSED):
            raise BagError(f"{path}: one camera is compressed and the other is not: {self.topics}")

    def messages(self) -> Iterator[DriveMessage]:
        """All messages in the order of recording.

        Raises:
            BagError: the bag is damaged; all that can be read came before.
        """
        channels = {topic: channel for channel, topic in self.topics.items()}
        count = 0
        try:
            with open_recording([self._path]) as recording:
                for message in recording.messages(channels):
                    data = bytes(recording.cdr(message))
                    yield DriveMessage(channels[message.topic], message.stamp_ns, data)
                    count += 1
                trouble = _trouble(recording)
        except CupsError as error:
            trouble = str(error)
        if trouble:
            raise BagError(f"{trouble} (after {count} good messages)")

    def _found(self, recording: Recording, named: Mapping[Channel, str]) -> dict[Channel, str]:
        """The topic of each channel: the named one, or the proposed one."""
        if not any(topic.count != 0 for topic in recording.topics.values()):
            raise BagError(
                _trouble(recording) or f"{self._path}: the bag holds no messages: record it again"
            )
        proposals = [
            dict(zip(Channel, astuple(rig), strict=True))
            for rig in propose(recording.topics.values())
        ]
        fitting = [
            rig for rig in proposals if all(rig[key] == topic for key, topic in named.items())
        ]
        proposed: dict[Channel, str | None] = next(iter(fitting + proposals), {})
        topics: dict[Channel, str] = {}
        for channel in Channel:
            topic = named.get(channel) or proposed.get(channel)
            if topic is None:
                raise BagError(self._missing(channel, recording.topics))
            self._check(channel, topic, recording.topics)
            topics[channel] = topic
        return topics

    def _missing(self, channel: Channel, topics: Mapping[str, Topic]) -> str:
        side, _, _ = channel.value.partition("/")
        kind = "image" if channel.is_image else "info"
        expected = " or ".join(IMAGES if channel.is_image else (INFO,))
        looks = (
            "no two topics look like the left and the right camera's"
            if channel.is_image
            else f"no topic looks like the {side} camera's"
        )
        return (
            f"{self._path}: {looks} (type {expected}); the bag has "
            f"{', '.join(sorted(topics))}. Name it with {side}_{kind}_topic"
        )

    def _check(self, channel: Channel, topic: str, topics: Mapping[str, Topic]) -> None:
        expected = IMAGES if channel.is_image else (INFO,)
        found = topics[topic].type_name if topic in topics else "no such topic"
        if found not in expected:
            raise BagError(
                f"{self._path}: expected {topic} for {channel.value} as {' or '.join(expected)}, "
                f"found {found}; the bag has {', '.join(sorted(topics))}"
            )

    def _described(self, recording: Recording) -> str:
        count = sum(topic.count or 0 for topic in recording.topics.values())
        length_s = ((recording.end_ns or 0) - (recording.start_ns or 0)) / 1e9
        return f"{self._path.name}: {count} messages over {length_s:.1f} s, " + ", ".join(
            self.topics.values()
        )


def _trouble(recording: Recording) -> str:
    """What of the bag was lost, one sentence; empty where nothing was."""
    lost = [str(damage) for damage in recording.damages if damage.messages_lost != 0]
    return f"the bag is damaged or was not closed: {'; '.join(lost)}" if lost else ""
