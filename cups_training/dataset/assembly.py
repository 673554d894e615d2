"""Makes one dataset of the drives in a folder: splits, leak check, manifest, card, checksums.

Extraction and import call it when their drives are finished; all of it follows from the drives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from cups_training.dataset.card import card
from cups_training.dataset.card_settings import CardSettings
from cups_training.dataset.checksums import read_checksums, sha256, write_checksums
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive
from cups_training.dataset.layout import CARD, CLAIM, MANIFEST, PROVENANCE, SPLITS
from cups_training.dataset.leaks import Relation, related, same_views
from cups_training.dataset.splits import TRAIN, VAL, assigned, groups_of, read_splits, write_splits
from cups_training.whole_files import read_json, remove_drafts, write_json, write_whole

SCHEMA = 1
"""Of the manifest; it grows when a reader of an older one would misunderstand it."""


def assemble(root: Path, settings: CardSettings) -> list[Relation]:
    """Write everything that concerns the dataset as a whole.

    Args:
        root: folder of the dataset.
        settings: what a person says of it.

    Returns:
        Drives of different splits that show the same.

    Raises:
        FileError: there is no drive, a file is broken, or the disk is full.
    """
    dataset = Dataset(root)
    provenances = {drive.name: _provenance(drive) for drive in dataset.drives}
    relations = related(dataset.drives, provenances)
    frames_of = {drive.name: len(drive) for drive in dataset.drives}
    groups = groups_of(frames_of, ((item.first, item.second) for item in relations))
    before = {name: split for name, split in read_splits(root).items() if name in frames_of}
    split_of = assigned(groups, frames_of, before, settings.val_share)
    leaks = [item for item in relations if split_of[item.first] != split_of[item.second]]
    if not leaks:
        by_split = {
            split: [drive for drive in dataset.drives if split_of[drive.name] == split]
            for split in SPLITS
        }
        leaks = same_views(by_split[VAL], by_split[TRAIN])
    manifest = {
        "schema": SCHEMA,
        "card": dataclasses.asdict(settings),
        "totals": _totals(dataset, provenances),
        "splits": {
            split: sorted(name for name, found in split_of.items() if found == split)
            for split in SPLITS
        },
        "related_drives": [item.row() for item in relations],
        "leaks": [item.row() for item in leaks],
        "drives": {
            drive.name: _described(drive, provenances[drive.name]) for drive in dataset.drives
        },
    }
    write_splits(root, split_of)
    write_json(root / MANIFEST, manifest)
    write_whole(root / CARD, card(manifest).encode())
    remove_drafts(root, below=False)
    own = [(name, sha256(root / name)) for name in (MANIFEST, CARD, *SPLITS.values())]
    write_checksums(root, chain(own, *(_files_of(drive) for drive in dataset.drives)))
    return leaks


def _provenance(drive: Drive) -> Mapping[str, Any] | None:
    path = drive.path / PROVENANCE
    return read_json(path) if path.exists() else None


def _described(drive: Drive, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    if provenance is None:
        return {"counts": {"frames": len(drive)}, "source": {"kind": "not extracted"}}
    claim = read_json(drive.path / CLAIM)
    asked = {name: claim[name] for name in ("configuration", "software")}
    return {**asked, **provenance}


def _totals(
    dataset: Dataset, provenances: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    seconds = sum(
        (drive.stamps_ns[-1] - drive.stamps_ns[0]) / 1e9 for drive in dataset.drives if len(drive)
    )
    dropped: dict[str, int] = {}
    for found in filter(None, provenances.values()):
        for reason, loss in found["dropped"].items():
            dropped[reason] = dropped.get(reason, 0) + loss["count"]
    return {
        "drives": len(dataset.drives),
        "frames": sum(len(drive) for drive in dataset.drives),
        "kept_pairs": sum(len(drive.kept_pairs()) for drive in dataset.drives),
        "seconds": round(seconds, 3),
        "dropped": dropped,
    }


def _files_of(drive: Drive) -> Iterator[tuple[str, str]]:
    """Name within the dataset and sha256 of each file of a drive."""
    known = False
    for name, digest in read_checksums(drive.path):
        known = True
        yield f"drives/{drive.name}/{name}", digest
    if not known:
        for path in sorted(path for path in drive.path.rglob("*") if path.is_file()):
            yield f"drives/{drive.name}/{path.relative_to(drive.path).as_posix()}", sha256(path)
