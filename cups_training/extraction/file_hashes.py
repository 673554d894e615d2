"""Hashes of the recorded files: their ends at once, their whole content while they are read.

Sources tell recordings apart by the former and write the latter into the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from cups_training.whole_files import FileError

END_BYTES = 1 << 20
PIECE_BYTES = 1 << 20


class FileHashes:
    """The files of a recording; the order is that of their names."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = sorted(files, key=lambda path: (path.name, str(path)))
        self._found: dict[Path, str] = {}
        self._thread: Thread | None = None

    def ends(self) -> list[dict[str, Any]]:
        """Name, size and a hash of the first and last MiB of each file: it takes no time.

        The end of a bag holds its index, so two bags hardly ever agree in it.
        """
        found = []
        for path in self._files:
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.sha256(file.read(END_BYTES))
                file.seek(max(0, size - END_BYTES))
                digest.update(file.read(END_BYTES))
            found.append({"name": path.name, "bytes": size, "ends_sha256": digest.hexdigest()})
        return found

    def start(self) -> None:
        """Begin to hash everything in a thread; beside the reader, each part is read only once."""
        if self._thread is None:
            # A daemon, so that an interrupted extraction does not wait for it.
            self._thread = Thread(target=self._hash, daemon=True)
            self._thread.start()

    def whole(self) -> list[dict[str, Any]]:
        """Name, size and sha256 of each file; waits until `start` is done.

        Raises:
            FileError: a file cannot be read any more.
        """
        self.start()
        if self._thread is not None:
            self._thread.join()
        lost = [str(path) for path in self._files if path not in self._found]
        if lost:
            raise FileError(f"{', '.join(lost)}: cannot be read to the end: check the disk")
        return [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": self._found[path]}
            for path in self._files
        ]

    def _hash(self) -> None:
        # One buffer for all: fresh ones cost more than hashing.
        piece = memoryview(bytearray(PIECE_BYTES))
        for path in self._files:
            digest = hashlib.sha256()
            try:
                with path.open("rb", buffering=0) as file:
                    while size := file.readinto(piece):
                        digest.update(piece[:size])
            except OSError:
                # `whole` says which files are missing.
                return
            self._found[path] = digest.hexdigest()
