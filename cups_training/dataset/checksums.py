"""Checksums of a dataset's files in the format of `sha256sum`, so that anybody can verify a copy.

Extraction writes one list for each drive and one for the whole: `sha256sum -c checksums.sha256`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cups_training.dataset.layout import CHECKSUMS
from cups_training.whole_files import FileError, whole_file


def write_checksums(folder: Path, found: Iterable[tuple[str, str]]) -> None:
    """List files of a folder.

    Args:
        folder: where the list goes.
        found: name relative to the folder, with slashes, and sha256 of each file.

    Raises:
        FileError: the list cannot be written.
    """
    with whole_file(folder / CHECKSUMS) as file:
        for name, digest in found:
            file.write(f"{digest}  {name}\n".encode())


def read_checksums(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and sha256 of each file that a folder's list has; nothing where there is none.

    Raises:
        FileError: a line is none.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        return
    with path.open() as lines:
        for line in lines:
            digest, separator, name = line.rstrip("\n").partition("  ")
            if len(digest) != 64 or not separator or not name:
                raise FileError(f"{path}: expected lines of sha256 and name, found {line[:80]!r}")
            yield name, digest


def sha256(path: Path) -> str:
    """Hash of a file.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
