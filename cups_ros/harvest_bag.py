"""The recording of a harvest: files that roll over, within the space that the disk has to spare.

The harvest recorder writes its bursts with it. A full disk is told by one error; writing goes on
where it stopped when there is space again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from cups_core.errors import CupsError
from cups_core.settings import setting
from cups_ros.bag_metadata import FileContents, metadata_yaml
from cups_ros.committed_file import sync_folder
from cups_ros.harvest_file import COMPRESSIONS, FINISHED, UNFINISHED, HarvestFile, RecordedTopic

Result = TypeVar("Result")
MEGABYTE, GIGABYTE = 10**6, 10**9
# After the disk was full, there must be room for that many bursts before writing goes on, or it
# would stop and go.
COMEBACK_BURSTS = 10


class BagWriteError(CupsError):
    """Nothing can be written for now; what was committed is safe."""


@dataclass(frozen=True)
class BagSettings:
    """Where and how the harvest is written."""

    folder: str = setting("~/cups_harvest", "folder for the recordings; made when missing")
    compression: str = setting(
        "zstd",
        "compression of the chunks; none for images that are compressed already",
        choices=tuple(COMPRESSIONS),
    )
    file_size_mb: float = setting(
        1000.0, "a file of this size is finished and the next one begun, MB", minimum=1.0
    )
    file_duration_s: float = setting(
        600.0, "a file of this age is finished and the next one begun, seconds", minimum=1.0
    )
    sync_interval_s: float = setting(
        2.0, "a power cut costs at most the bursts of so many seconds", minimum=0.0, maximum=600.0
    )
    free_reserve_gb: float = setting(
        2.0, "recording stops while less than this is free on the disk, GB", minimum=0.0
    )


class HarvestBag:
    """One recording: a bag folder that begins with its first message.

    Attributes:
        path: of the bag folder.
        files: number of files begun.
    """

    def __init__(self, settings: BagSettings, provenance: Mapping[str, str]) -> None:
        """Make the folder for recordings.

        Args:
            settings: where and how.
            provenance: is written into every file.

        Raises:
            BagWriteError: the folder cannot be made or written to.
        """
        self._folder = Path(settings.folder).expanduser()
        started = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.path = self._folder / f"harvest_{started}"
        self.files = 0
        self._settings = settings
        self._provenance = provenance
        self._file: HarvestFile | None = None
        self._contents: list[FileContents] = []
        self._bytes_before = 0
        self._has_stopped = False
        self._guarded(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise BagWriteError(
                f"{self._folder}: not writable: set bag.folder to another place, or change its "
                "owner"
            )

    @property
    def written_bytes(self) -> int:
        """Bytes committed to all files since the start."""
        return self._bytes_before + (self._file.size if self._file else 0)

    @property
    def is_between_files(self) -> bool:
        """Whether the next message begins a file."""
        return self._file is None

    @property
    def free_bytes(self) -> int:
        """Space left on the disk for this user.

        Raises:
            BagWriteError: the folder is gone.
        """
        disk = self._guarded(lambda: os.statvfs(self._folder))
        return disk.f_bavail * disk.f_frsize

    def unfinished(self) -> list[Path]:
        """Files that a crash or a full disk left without an index."""
        own = self._file.path if self._file else None
        return [path for path in sorted(self._folder.glob(f"*/*{UNFINISHED}")) if path != own]

    def require_space(self, size_bytes: int) -> None:
        """Check before a burst that it fits, and that all before it is on the disk.

        Raises:
            BagWriteError: less than the reserve would be left, or the disk still refuses.
        """
        reserve = self._settings.free_reserve_gb * GIGABYTE
        needed = size_bytes * (COMEBACK_BURSTS if self._has_stopped else 1)
        free = self.free_bytes
        # Until all went well.
        self._has_stopped = True
        if free - needed < reserve:
            raise BagWriteError(
                f"{self._folder}: {free / GIGABYTE:.2f} GB are free, too little for "
                f"{needed / MEGABYTE:.0f} MB and a reserve of {reserve / GIGABYTE:.2f} GB: "
                "make space, or lower bag.free_reserve_gb"
            )
        if self._file is not None and self._file.has_ended:
            self._finish_file()
        elif self._file is not None:
            self._guarded(self._file.commit)
        self._has_stopped = False

    def write(self, topic: RecordedTopic, recorded_ns: int, data: bytes) -> None:
        """Add a serialised message; it is on the disk after the next commit.

        Raises:
            BagWriteError: a new file cannot be begun.
        """
        if self._file is None:
            self._file = self._guarded(self._new_file)
            self._began = self._synced = time.monotonic()
        self._file.write(topic, recorded_ns, data)
        self._contents[-1].add(topic, recorded_ns)

    def commit(self) -> None:
        """Give everything to the operating system, then `tend`.

        Raises:
            BagWriteError: the disk refuses; nothing is lost, and `require_space` tries again.
        """
        if self._file is not None:
            self._guarded(self._file.commit)
            self.tend()

    def tend(self) -> None:
        """Sync and roll over when it is time; to be called also while no burst comes.

        Raises:
            BagWriteError: the disk refuses; nothing is lost, and `require_space` tries again.
        """
        if self._file is None or self._has_stopped:
            return
        settings, now = self._settings, time.monotonic()
        if (
            self._file.size >= settings.file_size_mb * MEGABYTE
            or now - self._began >= settings.file_duration_s
        ):
            self._finish_file()
        elif now - self._synced >= settings.sync_interval_s:
            self._synced = now
            self._guarded(self._file.sync)

    def close(self) -> None:
        """Finish the file in progress and write `metadata.yaml`.

        Raises:
            BagWriteError: the disk refuses; a file that keeps its unfinished name can be read up
                to its last commit.
        """
        if self._file is not None:
            try:
                self._finish_file()
            except BagWriteError:
                file, self._file = self._file, None
                file.close()
                raise
        if self._contents:
            self._guarded(self._write_metadata)

    def _finish_file(self) -> None:
        assert self._file is not None
        self._guarded(self._file.finish)
        self._bytes_before += self._file.size
        self._file = None

    def _new_file(self) -> HarvestFile:
        if not self.files:
            # A vehicle without a clock starts each day at the same time.
            start, number = self.path, 1
            while self.path.exists():
                number += 1
                self.path = start.with_name(f"{start.name}_{number}")
            self.path.mkdir()
            sync_folder(self._folder)
        name = f"{self.path.name}_{self.files}"
        file = HarvestFile(
            self.path / f"{name}{UNFINISHED}", self._settings.compression, self._provenance
        )
        self._contents.append(FileContents(f"{name}{FINISHED}"))
        self.files += 1
        return file

    def _write_metadata(self) -> None:
        whole = self.path / "metadata.yaml"
        partial = whole.with_suffix(".yaml.partial")
        partial.write_text(metadata_yaml(self._contents))
        partial.rename(whole)
        sync_folder(self.path)

    def _guarded(self, action: Callable[[], Result]) -> Result:
        try:
            return action()
        except OSError as error:
            self._has_stopped = True
            raise BagWriteError(
                f"{self._folder}: the disk refuses ({error.strerror}): make space, check quota and "
                "disk, or set bag.folder to another place"
            ) from error
