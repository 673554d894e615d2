"""Which drives leave in which split: whole drives, as the dataset divides them.

Exporting and its command ask it.
"""

from __future__ import annotations

from collections.abc import Sequence

from cups_core.errors import InputError
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.layout import SPLITS
from cups_training.dataset.splits import TRAIN, read_splits
from cups_training.whole_files import FileError


def drives_by_split(dataset: Dataset, wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of the drives of each split, in the order of the dataset.

    A dataset that was never divided is all for training.

    Args:
        dataset: that is exported.
        wanted: names of splits; empty = all that have a drive.

    Raises:
        FileError: a list names a drive that is not there, or two lists name one.
        InputError: no drive is in a split.
    """
    names = [drive.name for drive in dataset.drives]
    split_of = read_splits(dataset.root) or dict.fromkeys(names, TRAIN)
    unknown = sorted(split_of.keys() - set(names))
    if unknown:
        raise FileError(
            f"{dataset.root}/splits: the dataset has no drive {unknown[0]!r}; remove the line, or "
            "bring the drive back"
        )
    found = {
        split: tuple(name for name in names if split_of.get(name) == split)
        for split in SPLITS
        if not wanted or split in wanted
    }
    empty = [split for split in wanted if not found.get(split)]
    if empty:
        raise InputError(f"--split {empty[0]}: no drive of {dataset.root} is in it, see splits/")
    return {split: drives for split, drives in found.items() if drives}
