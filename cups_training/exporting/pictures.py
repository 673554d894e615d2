"""Pictures on their way out: linked or copied bit for bit, or made anonymous, or stored as PNG.

Every format puts its pictures in place with it, so privacy cannot be forgotten by one of them.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cups_training.exporting.frames import ExportedFrame, Side
from cups_training.privacy.anonymizer import Anonymizer
from cups_training.privacy.regions import FrameContext
from cups_training.whole_files import FileError, read_picture, whole_file, write_png

# Other disks, file systems without links, and files with as many names as they may have.
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)


class PlacedPicture(NamedTuple):
    """A picture that was written.

    Attributes:
        file: its place, counted from the output folder.
        regions: what was made unreadable in it, by kind; empty without an anonymizer.
    """

    file: str
    regions: dict[str, int]


@dataclass(frozen=True)
class PictureWriter:
    """Writes pictures below the output folder.

    Attributes:
        root: the output folder.
        anonymizer: None where the user has said --no-privacy.
        copies: copy where a hard link would do.
    """

    root: Path
    anonymizer: Anonymizer | None
    copies: bool

    def write(
        self, frame: ExportedFrame, side: Side, stem: str, *, as_png: bool = False
    ) -> PlacedPicture:
        """Put a picture of a frame to `stem` and the suffix that its format has.

        Args:
            frame: whose picture.
            side: which one.
            stem: its place without suffix, counted from the output folder.
            as_png: whether the format takes nothing but PNG.

        Raises:
            FileError: it cannot be read or written.
            CupsError: a detector of the anonymizer fails.
        """
        source = frame.file(side)
        suffix = source.suffix.lower()
        regions: dict[str, int] = {}
        if self.anonymizer is not None:
            changed = self.anonymizer.apply(FrameContext(frame.drive.name, side, frame.stereo))
            regions = changed.counts
            if regions:
                # Never as JPEG again: a second loss would be a change that nobody asked for.
                write_png(self.root / f"{stem}.png", changed.picture)
                return PlacedPicture(f"{stem}.png", regions)
        if as_png and suffix != ".png":
            if not (self.root / f"{stem}.png").exists():
                write_png(self.root / f"{stem}.png", read_picture(source))
            return PlacedPicture(f"{stem}.png", regions)
        self.place(source, f"{stem}{suffix}")
        return PlacedPicture(f"{stem}{suffix}", regions)

    def again(self, written: str, stem: str) -> None:
        """Give a picture that was written a second place."""
        self.place(self.root / written, f"{stem}{PurePosixPath(written).suffix}")

    def place(self, source: Path, place: str) -> None:
        """A file bit for bit at `place` below the output folder.

        Raises:
            FileError: it cannot be read or written.
        """
        target = self.root / place
        if target.exists():
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.copies or not _is_linked(source, target):
                _copy(source, target)
        except OSError as problem:
            raise FileError(
                f"{source}: cannot be brought to {target} ({problem.strerror or problem}); see "
                "that it exists and that there is space, then run the same command again"
            ) from problem


def _is_linked(source: Path, target: Path) -> bool:
    try:
        os.link(source.resolve(), target)
    except OSError as problem:
        if problem.errno in NO_LINK:
            return False
        raise
    return True


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as data, whole_file(target) as file:
        shutil.copyfileobj(data, file)
