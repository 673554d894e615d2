"""A file of a bag that was compressed as a whole (`.db3.zstd`, `.mcap.zstd`).

`recording` opens it. It is unpacked beside other temporary files while it is read, and only then,
so that a long split bag needs room for one file at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cups_core.errors import RecordingError
from cups_core.recording.compression import UnpackError, unpack_file
from cups_core.recording.data_file import DataFile
from cups_core.recording.messages import Damage, RecordedMessage, Tell, Wanted

Open = Callable[[Path, Tell], DataFile]


class CompressedFile:
    """A compressed file of a bag; see `data_file.DataFile`."""

    def __init__(self, path: Path, tell: Tell, opened: Open) -> None:
        """Unpack it for a look at what it holds.

        Args:
            path: the compressed file.
            tell: is called with each damage.
            opened: opens the unpacked file.

        Raises:
            RecordingError: there is no bag in it, or no room to unpack it.
        """
        self._path = path
        self._tell = tell
        self._open = opened
        with self._unpacked() as file:
            self.topics = file.topics
            self.definitions = file.definitions
            self.start_ns = file.start_ns
            self.end_ns = file.end_ns

    def messages(self, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The wanted messages in the order of recording."""
        with self._unpacked() as file:
            yield from file.messages(wanted)

    def close(self) -> None:
        """Nothing is held between two readings."""

    @contextmanager
    def _unpacked(self) -> Iterator[DataFile]:
        with TemporaryDirectory(prefix="cups_bag_") as folder:
            # The ending is what the file's own format is told by where its beginning is damaged.
            target = Path(folder) / self._path.stem
            try:
                unpack_file(self._path, target)
            except UnpackError as error:
                self._tell(
                    Damage(
                        self._path,
                        f"it does not unpack to its end: {error}",
                        None,
                        "what came out is used; copy the file again from where it was recorded",
                    )
                )
            except OSError as error:
                raise RecordingError(
                    f"{self._path}: cannot be unpacked in {folder} ({error}): set TMPDIR to a "
                    "folder with more room"
                ) from error
            file = self._open(target, self._tell_of_it)
            try:
                yield file
            finally:
                file.close()

    def _tell_of_it(self, damage: Damage) -> None:
        self._tell(Damage(self._path, damage.what, damage.messages_lost, damage.advice))
