"""Which drives are for training and which for validation: whole drives, and related ones together.

Extraction writes `splits/train.txt` and `splits/val.txt`; training and export read them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from cups_training.dataset.layout import SPLITS
from cups_training.whole_files import FileError, write_whole

TRAIN, VAL = SPLITS


def read_splits(root: Path) -> dict[str, str]:
    """The split of each drive that stands in a file of splits, by name.

    Raises:
        FileError: a drive stands in two splits.
    """
    found: dict[str, str] = {}
    for split, name in SPLITS.items():
        path = root / name
        for line in path.read_text().splitlines() if path.exists() else ():
            drive = line.strip()
            if found.get(drive, split) != split:
                raise FileError(
                    f"{path}: expected each drive in one split, found {drive} in both; remove it "
                    "from one of them"
                )
            if drive:
                found[drive] = split
    return found


def write_splits(root: Path, split_of: Mapping[str, str]) -> None:
    """Write one file for each split, a drive per line."""
    for split, name in SPLITS.items():
        drives = sorted(drive for drive, found in split_of.items() if found == split)
        write_whole(root / name, "".join(f"{drive}\n" for drive in drives).encode())


def groups_of(names: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Names that belong together, directly or through others, in groups; all sorted.

    Args:
        names: all of them.
        links: pairs that belong together.
    """
    group_of = {name: {name} for name in names}
    for first, second in links:
        joined = group_of[first] | group_of[second]
        for name in joined:
            group_of[name] = joined
    return [list(group) for group in sorted({tuple(sorted(g)) for g in group_of.values()})]


def assigned(
    groups: Sequence[Collection[str]],
    frames_of: Mapping[str, int],
    before: Mapping[str, str],
    val_share: float,
) -> dict[str, str]:
    """The split of every drive; the same drives are always divided alike.

    A drive that has a split keeps it, so that nothing that was trained on becomes validation when
    drives are added. Of the others those are for validation whose names have the smallest hashes,
    as long as they fit into the share; the smallest group where none fits and two are left.

    Args:
        groups: drives that must not be divided.
        frames_of: number of frames of each drive.
        before: splits that are known, by drive.
        val_share: share of all frames for validation.
    """
    split_of: dict[str, str] = {}
    free = []
    for group in groups:
        known = [before[name] for name in sorted(group) if name in before]
        if known:
            split_of |= {name: before.get(name, known[0]) for name in group}
        else:
            free.append(sorted(group))
    size = {group[0]: sum(frames_of[name] for name in group) for group in free}
    room = val_share * sum(frames_of.values()) - sum(
        frames_of[name] for name, split in split_of.items() if split == VAL
    )
    chosen = []
    for group in sorted(free, key=lambda group: hashlib.sha256(group[0].encode()).hexdigest()):
        if size[group[0]] <= room:
            chosen.append(group)
            room -= size[group[0]]
    has_none = not chosen and VAL not in split_of.values()
    if has_none and val_share > 0 and free and len(groups) > 1:
        chosen.append(min(free, key=lambda group: (size[group[0]], group)))
    for group in free:
        split_of |= dict.fromkeys(group, VAL if group in chosen else TRAIN)
    return split_of
