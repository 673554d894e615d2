"""The `metadata.yaml` of a bag folder, as rosbag2 has written it since ROS 2 Humble.

The harvest bag writes it last, so a folder without one says that its recording was cut off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from cups_ros.harvest_file import RecordedTopic

VERSION = 5


@dataclass
class FileContents:
    """What one file of a bag holds.

    Attributes:
        name: of the file.
        counts: number of messages by topic.
        first_ns: time of the first message.
        last_ns: time of the last message.
    """

    name: str
    counts: Counter[RecordedTopic] = field(default_factory=Counter)
    first_ns: int = 2**63 - 1
    last_ns: int = 0

    def add(self, topic: RecordedTopic, recorded_ns: int) -> None:
        """Count a message."""
        self.counts[topic] += 1
        self.first_ns = min(self.first_ns, recorded_ns)
        self.last_ns = max(self.last_ns, recorded_ns)


def metadata_yaml(files: Sequence[FileContents]) -> str:
    """The text of `metadata.yaml` for a bag of these files, at least one, in order."""
    counts: Counter[RecordedTopic] = sum((file.counts for file in files), Counter())
    first_ns, last_ns = min(f.first_ns for f in files), max(f.last_ns for f in files)
    information = {
        "version": VERSION,
        "storage_identifier": "mcap",
        **_span(first_ns, last_ns, counts.total()),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.type_name,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": "",
                },
                "message_count": count,
            }
            for topic, count in counts.items()
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.name for file in files],
        "files": [
            {"path": file.name, **_span(file.first_ns, file.last_ns, file.counts.total())}
            for file in files
        ],
    }
    return yaml.safe_dump({"rosbag2_bagfile_information": information}, sort_keys=False)


def _span(first_ns: int, last_ns: int, count: int) -> dict[str, Any]:
    return {
        "duration": {"nanoseconds": last_ns - first_ns},
        "starting_time": {"nanoseconds_since_epoch": first_ns},
        "message_count": count,
    }
