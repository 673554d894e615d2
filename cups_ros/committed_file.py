"""A file that always ends where a commit ended: what fails to fit the disk waits in memory.

The harvest bag writes through it, so a full disk costs no consistency and writing goes on where it
stopped once there is space.
"""

from __future__ import annotations

import os
from pathlib import Path


class CommittedFile:
    """Takes bytes like a file; only `commit` moves them to the operating system.

    Attributes:
        path: of the file.
        size: bytes committed so far.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            OSError: it exists, or it cannot be created.
        """
        self.path = path
        self.size = 0
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._unsynced = False
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, data: bytes) -> int:
        """Take bytes; they wait for the next commit."""
        self._waiting.append(data)
        self._waiting_size += len(data)
        return len(data)

    def tell(self) -> int:
        """Number of bytes taken so far."""
        return self.size + self._waiting_size

    def flush(self) -> None:
        """Nothing: only commits reach the disk."""

    def commit(self) -> None:
        """Write what waits. It survives the end of this process, not a power cut: see `sync`.

        Raises:
            OSError: there is no space, or the disk fails; the file ends where the last commit
                ended, and what waits goes on waiting.
        """
        position = self.size
        try:
            for data in self._waiting:
                rest = memoryview(data)
                while rest:
                    done = os.pwrite(self._descriptor, rest, position)
                    position += done
                    rest = rest[done:]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self._unsynced |= position > self.size
        self.size = position
        self._waiting.clear()
        self._waiting_size = 0

    def sync(self) -> None:
        """Have the disk keep what is committed, also through a power cut.

        Raises:
            OSError: the disk fails.
        """
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False

    def close(self) -> None:
        """Close the file; what still waits is lost."""
        os.close(self._descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names of the files in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
