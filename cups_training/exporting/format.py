"""What a format is: a class that writes the files of one drive, and those of all drives at the end.

A newcomer puts a subclass into a new file of `formats/`; its name is that of the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from cups_training.exporting.classes import ClassTable
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.pictures import PictureWriter
from cups_training.exporting.spool import Row, Spool


@dataclass(frozen=True)
class NoSettings:
    """A format without knobs."""


SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True)
class Target(Generic[SettingsT]):
    """Where a format writes to and what it must know.

    Attributes:
        root: the output folder.
        dataset: name of the dataset's folder, for titles.
        drives: names of all drives of the dataset, in its order.
        recipe: of the labels, empty without labels.
        classes: of the labels, empty without labels.
        card: what a person has said of the dataset: `licence`, `consent`, `location`.
        pictures: puts pictures in place.
        settings: of the format.
    """

    root: Path
    dataset: str
    drives: tuple[str, ...]
    recipe: str
    classes: ClassTable
    card: Mapping[str, Any]
    pictures: PictureWriter
    settings: SettingsT


class Format(ABC, Generic[SettingsT]):
    """Writes one format.

    Files of a frame are written at once and whole; a row of each frame goes to the spool, and what
    speaks of many frames is made of these rows at the end. Equal datasets give equal bytes.

    Attributes:
        target: where to.

    Args:
        target: where to.
    """

    PURPOSE: ClassVar[str]
    """What it is for, a few words."""
    VERSION: ClassVar[int] = 1
    """Grows when the same dataset would give other files."""
    NEEDS_LABELS: ClassVar[bool] = False
    """Whether there is nothing to write without a recipe."""
    SETTINGS: ClassVar[type[Any]] = NoSettings
    """The class of its settings."""

    def __init__(self, target: Target[SettingsT]) -> None:
        self.target = target

    @abstractmethod
    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """Write the files of a drive and say what `finish` must know, one row for each frame.

        A row must hold `regions`: for each picture of the frame what was made unreadable in it.
        Its `counts`, if any, are added up for the manifest.

        Raises:
            CupsError: a file cannot be read or written, or the format has no room for something.
        """

    @abstractmethod
    def finish(self, spool: Spool) -> dict[str, Any]:
        """Write the files that speak of a split or of all.

        Returns:
            What the user should know of the result; the manifest and the last word say it.

        Raises:
            FileError: a file cannot be written.
        """
