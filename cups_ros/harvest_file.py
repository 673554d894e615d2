"""One MCAP file of a harvest, readable up to its last commit whatever ends the recording.

The harvest bag makes them one after the other. The writer of `rosbags` compresses as fast
(`benchmark/harvest_writing.py`), but it cannot end a chunk on demand, so a kill costs its last
megabyte; nor does it write checksums or survive a full disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mcap.writer import CompressionType, Writer

from cups_ros.committed_file import CommittedFile, sync_folder

UNFINISHED, FINISHED = ".unfinished.mcap", ".mcap"
COMPRESSIONS = {
    "none": CompressionType.NONE,
    "lz4": CompressionType.LZ4,
    "zstd": CompressionType.ZSTD,
}


class RecordedTopic(NamedTuple):
    """A topic as a bag describes it; the definition is in the format `ros2msg`."""

    name: str
    type_name: str
    definition: str


class HarvestFile:
    """A file in progress is named `*.unfinished.mcap` and loses the word when it is finished.

    Attributes:
        path: of the file, with the name it has now.
        has_ended: whether the index was begun, so that the file takes no more messages.
    """

    def __init__(self, path: Path, compression: str, provenance: Mapping[str, str]) -> None:
        """Create the file.

        Args:
            path: with the unfinished name.
            compression: of the chunks, one of `COMPRESSIONS`.
            provenance: becomes the metadata record `cups_harvest`.

        Raises:
            OSError: it cannot be created.
        """
        self.path = path
        self._file = CommittedFile(path)
        self._writer = Writer(self._file, compression=COMPRESSIONS[compression])  # type: ignore[arg-type]
        self._writer.start("ros2")
        self._writer.add_metadata("cups_harvest", dict(provenance))
        self._schemas: dict[str, int] = {}
        self._channels: dict[RecordedTopic, int] = {}
        self.has_ended = False

    @property
    def size(self) -> int:
        """Bytes that were committed."""
        return self._file.size

    def write(self, topic: RecordedTopic, recorded_ns: int, data: bytes) -> None:
        """Add a serialised message; it waits in memory for the next commit."""
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(
                topic.name, "cdr", self._schema(topic), {"offered_qos_profiles": ""}
            )
        self._writer.add_message(self._channels[topic], recorded_ns, data, recorded_ns)

    def commit(self) -> None:
        """End the chunk and give it to the operating system.

        Raises:
            OSError: the disk refuses; the data wait, and the next commit tries again.
        """
        if not self.has_ended:
            self._writer.flush()
        self._file.commit()

    def sync(self) -> None:
        """Have the disk keep what was committed.

        Raises:
            OSError: the disk fails.
        """
        self._file.sync()

    def finish(self) -> None:
        """Write the index, close the file and rename it.

        Raises:
            OSError: the disk refuses; the file is still open and the call may be repeated.
        """
        self.commit()
        if not self.has_ended:
            self._writer.finish()
            self.has_ended = True
        self.commit()
        self.sync()
        if self.path.name.endswith(UNFINISHED):
            finished = self.path.with_name(self.path.name.removesuffix(UNFINISHED) + FINISHED)
            self.path = self.path.rename(finished)
        sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _schema(self, topic: RecordedTopic) -> int:
        if topic.type_name not in self._schemas:
            self._schemas[topic.type_name] = self._writer.register_schema(
                topic.type_name, "ros2msg", topic.definition.encode()
            )
        return self._schemas[topic.type_name]
