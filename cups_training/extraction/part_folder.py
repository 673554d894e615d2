"""The folder of a drive while it is extracted: claimed, filled, finished, or refused to others.

A drive has several parts, each with a folder of its own, where its clock jumped back, because the
stamps of a drive ascend, and where it is very long.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from cups_training.configuration import differences
from cups_training.dataset.checksums import sha256, write_checksums
from cups_training.dataset.drive import SIDES, DriveWriter
from cups_training.dataset.layout import CALIBRATION, CLAIM, FRAMES, PAIRS, PROVENANCE
from cups_training.extraction.geometry import Geometry
from cups_training.extraction.journal import Journal
from cups_training.whole_files import (
    FileError,
    json_line,
    read_json,
    write_json,
    write_json_lines,
)

MEASURES, PICTURES = "measures.partial.jsonl", "pictures.partial.jsonl"
"""Journals of the passes over a drive."""


def check_claim(path: Path, claim: Mapping[str, Any]) -> bool:
    """Whether a folder holds this very drive, finished; False where it is empty or unfinished.

    Raises:
        FileError: it holds another drive or one of another configuration.
    """
    is_finished = (path / FRAMES).exists()
    if not (path / CLAIM).exists():
        if is_finished:
            raise FileError(
                f"{path}: holds a drive that was not extracted; choose another --drive name or "
                "another dataset"
            )
        return False
    if not _is_begun(path):
        return False
    found, now = read_json(path / CLAIM), dict(claim)
    if is_finished:
        # What is finished stays good when a library is updated.
        found.pop("software", None)
        now.pop("software", None)
    if differing := list(differences(found, now)):
        raise FileError(
            f"{path}: was made of another recording or configuration ({'; '.join(differing[:4])}); "
            "choose another --drive name or another dataset, or remove the folder"
        )
    return is_finished


def check_neighbours(drives: Path, claim: Mapping[str, Any]) -> None:
    """See that a dataset is made with one configuration; one drive speaks for all others.

    Raises:
        FileError: one was made with another.
    """
    neighbours = drives.iterdir() if drives.is_dir() else iter(())
    begun = (path for path in neighbours if (path / CLAIM).exists() and _is_begun(path))
    path = next(begun, None)
    if path is None:
        return
    found = read_json(path / CLAIM)["configuration"]
    if differing := list(differences(found, claim["configuration"])):
        raise FileError(
            f"{path}: was made with another configuration ({'; '.join(differing[:4])}); use that "
            "one again, or choose another dataset"
        )


def _is_begun(path: Path) -> bool:
    """Whether more than intentions are in a folder: a failed start claims nothing."""
    begun = (path / FRAMES, path / MEASURES, path / PICTURES)
    return any(file.exists() and file.stat().st_size for file in begun)


def remove_journals(path: Path) -> None:
    """Remove what only an unfinished drive needs."""
    for journal in (MEASURES, PICTURES):
        (path / journal).unlink(missing_ok=True)


class PartFolder:
    """A drive's folder that this process fills; nobody else may meanwhile.

    Attributes:
        path: the folder.
        writer: of its pictures.
        journals: rows of each pass, by name.
    """

    def __init__(self, path: Path, claim: Mapping[str, Any], geometry: Geometry) -> None:
        """Claim the folder, or go on with it.

        Raises:
            FileError: another process fills it, it holds something else, or the disk is full.
        """
        self.path = path
        check_claim(path, claim)
        if not _is_begun(path):
            (path / CALIBRATION).unlink(missing_ok=True)
            write_json(path / CLAIM, claim)
        self._stack = ExitStack()
        self._lock()
        self.writer = DriveWriter(path, geometry.rig, geometry.origin())
        self.journals = {
            name: self._stack.enter_context(Journal(path / name)) for name in (MEASURES, PICTURES)
        }

    def close(self) -> None:
        """Let others have it."""
        self._stack.close()

    def finish(
        self,
        rows: Callable[[], Iterable[Mapping[str, Any]]],
        pairs: Iterable[Mapping[str, Any]],
        provenance: Mapping[str, Any],
        hashes: Iterable[tuple[str, str]],
    ) -> None:
        """Write what is known of the drive, the list of frames last: now it is one.

        Args:
            rows: gives the rows of the frames, more than once.
            pairs: decisions on pairs.
            provenance: of the drive.
            hashes: name and sha256 of each picture.

        Raises:
            FileError: a picture is missing or the disk is full.
        """
        names: set[str] = set()
        digest = hashlib.sha256()
        for row in rows():
            digest.update(json_line(row))
            names.update(str(row[side]) for side in SIDES)
        # What a run left that was killed between a picture and its line.
        for file in (file for side in SIDES for file in (self.path / side).glob("*")):
            if f"{file.parent.name}/{file.name}" not in names:
                file.unlink()
        write_json_lines(self.path / PAIRS, pairs)
        write_json(self.path / PROVENANCE, provenance)
        others = [
            (name, sha256(self.path / name)) for name in (CALIBRATION, CLAIM, PAIRS, PROVENANCE)
        ]
        write_checksums(self.path, chain([*others, (FRAMES, digest.hexdigest())], hashes))
        self.writer.finish_rows(rows())
        remove_journals(self.path)

    def _lock(self) -> None:
        file = self._stack.enter_context((self.path / CLAIM).open("rb"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise FileError(
                f"{self.path}: another process is extracting this drive; wait until it is done"
            ) from problem
