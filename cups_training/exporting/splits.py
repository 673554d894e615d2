"""Which drives belong to which split: whole drives, each in one split only.

Exporting asks it; the lists are those of the dataset's `splits/`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cups_core.errors import InputError
from cups_training.dataset.dataset import Dataset
from cups_training.whole_files import FileError

UNSPLIT = "train"
"""The split of all drives of a dataset that has no lists."""


def drives_by_split(dataset: Dataset, wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of the drives of each split, in the order of the dataset.

    Args:
        dataset: that is exported.
        wanted: names of splits; empty = all.

    Raises:
        FileError: a list names an unknown drive, or two lists name one.
        InputError: there is no such split.
    """
    names = [drive.name for drive in dataset.drives]
    lists = sorted((dataset.root / "splits").glob("*.txt"))
    listed = {path.stem: path.read_text().split() for path in lists} or {UNSPLIT: names}
    split_of: dict[str, str] = {}
    for split, drives in listed.items():
        for drive in drives:
            if drive not in names:
                raise FileError(f"splits/{split}.txt: the dataset has no drive {drive!r}")
            if split_of.setdefault(drive, split) != split:
                raise FileError(
                    f"drive {drive} is in the splits {split_of[drive]} and {split}: frames of one "
                    "drive in both would make any result worthless; take it out of one list"
                )
    unknown = [split for split in wanted if split not in listed]
    if unknown:
        raise InputError(f"split {unknown[0]!r}: the dataset has {', '.join(sorted(listed))}")
    return {
        split: tuple(drive for drive in names if split_of.get(drive) == split)
        for split in sorted(listed)
        if not wanted or split in wanted
    }
