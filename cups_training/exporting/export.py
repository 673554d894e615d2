"""One export from start to end: what was asked for, drive after drive, then the closing files.

The command calls it; killed at any moment and called again, it gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cups_training.dataset.checksums import sha256
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.layout import MANIFEST
from cups_training.exporting.classes import ClassTable
from cups_training.exporting.format import Format, Target
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.labels import LabelReader
from cups_training.exporting.pictures import PictureWriter
from cups_training.exporting.splits import drives_by_split
from cups_training.exporting.spool import Row, Spool
from cups_training.extraction.software import software
from cups_training.labelling.label_folder import LabelFolder
from cups_training.privacy.anonymizer import Anonymizer, provenance
from cups_training.whole_files import FileError, read_json, remove_drafts, write_json

WORK = ".export"
"""Folder of what an unfinished export knows."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        dataset: the source.
        format_name: of the format.
        format_class: of the format.
        output: folder that is written.
        recipe: of the labels, empty = without labels.
        splits: to export, empty = all.
        settings: of the format.
        anonymizer: None = faces and plates stay readable.
        copies: copy pictures where a hard link would do.
    """

    dataset: Dataset
    format_name: str
    format_class: type[Format[Any]]
    output: Path
    recipe: str
    splits: Sequence[str]
    settings: Any
    anonymizer: Anonymizer | None
    copies: bool


def export(request: Request, progress: Callable[[int], None]) -> dict[str, Any]:
    """Carry it out, or what is left of it.

    Args:
        request: what is asked for.
        progress: is told of every finished frame.

    Returns:
        The manifest.

    Raises:
        CupsError: the labels are missing, the folder holds something else, a file is broken.
    """
    dataset = request.dataset
    if request.format_class.NEEDS_LABELS and not request.recipe:
        known = sorted(path.parent.name for path in dataset.root.glob("labels/*/panoptic.json"))
        raise FileError(
            f"{request.format_name} is a format of labels: give --recipe NAME; this dataset has "
            f"{', '.join(known) or 'none, cups label makes them'}"
        )
    splits = drives_by_split(dataset, request.splits)
    split_of = {drive: split for split, drives in splits.items() for drive in drives}
    labels = None
    if request.recipe:
        folder = LabelFolder(dataset.labels(request.recipe))
        labels = LabelReader(folder, [drive.name for drive in dataset.drives])
    described = _described(request, splits, labels)
    spool = Spool(request.output / WORK, splits)
    finished = _claim(request.output, described)
    if finished is not None:
        spool.remove()
        return finished
    target = Target(
        request.output,
        dataset.root.resolve().name,
        tuple(drive.name for drive in dataset.drives),
        request.recipe,
        labels.classes if labels else ClassTable(),
        _card(dataset),
        PictureWriter(request.output, request.anonymizer, request.copies),
        request.settings,
    )
    writer = request.format_class(target)
    for drive in dataset.drives:
        if drive.name in split_of and not spool.has(drive.name):
            exported = ExportedDrive(drive, split_of[drive.name], dataset.truth(drive.name), labels)
            spool.write(drive.name, _told(writer.write_drive(exported), progress))
    notes = writer.finish(spool)
    remove_drafts(request.output)
    manifest = {"request": described, "result": _result(request, spool, notes)}
    write_json(request.output / MANIFEST, manifest)
    spool.remove()
    return manifest


def _card(dataset: Dataset) -> dict[str, Any]:
    """What a person has said of the dataset: licence, consent, place."""
    manifest = dataset.root / MANIFEST
    return dict(read_json(manifest).get("card", {})) if manifest.exists() else {}


def _told(rows: Iterator[Row], progress: Callable[[int], None]) -> Iterator[Row]:
    for row in rows:
        yield row
        progress(1)


def _described(
    request: Request, splits: dict[str, tuple[str, ...]], labels: LabelReader | None
) -> dict[str, Any]:
    """All that decides about the bytes of the output."""
    source = request.dataset.root / MANIFEST
    return {
        "format": request.format_name,
        "format_version": request.format_class.VERSION,
        "settings": asdict(request.settings),
        "dataset": {
            "name": request.dataset.root.resolve().name,
            "manifest_sha256": sha256(source) if source.exists() else None,
            "drives": {drive.name: drive.fingerprint() for drive in request.dataset.drives},
        },
        "splits": {split: list(drives) for split, drives in splits.items()},
        "labels": None
        if labels is None
        else {
            "recipe": request.recipe,
            "panoptic_json_sha256": sha256(labels.folder.panoptic_json),
            "configuration": read_json(labels.folder.recipe)
            if labels.folder.recipe.exists()
            else None,
        },
        "privacy": _privacy(request.anonymizer),
    }


def _privacy(anonymizer: Anonymizer | None) -> dict[str, Any]:
    counted = ("pictures", "pictures_touched", "regions")
    whole = provenance(anonymizer, ())
    return {key: value for key, value in whole.items() if key not in counted}


def _result(request: Request, spool: Spool, notes: dict[str, Any]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for row in spool.all():
        counts.update({"frames": 1, **row.get("counts", {})})
    pictures = (regions for row in spool.all() for regions in row["regions"])
    exported = {drive for drives in spool.splits.values() for drive in drives}
    return {
        "software": software(),
        "counts": dict(sorted(counts.items())),
        "drives_left_out": [
            drive.name for drive in request.dataset.drives if drive.name not in exported
        ],
        "notes": notes,
        "privacy": provenance(request.anonymizer, pictures),
    }


def _claim(output: Path, described: dict[str, Any]) -> dict[str, Any] | None:
    """Make the folder that of this export; its manifest where the export is complete.

    Raises:
        FileError: the folder holds another export or other files.
    """
    manifest, begun = output / MANIFEST, output / WORK / "request.json"
    if manifest.exists():
        found = read_json(manifest)
        if not isinstance(found, dict) or found.get("request") != described:
            raise FileError(f"{output}: holds {_differing(found, described)}; {ELSEWHERE}")
        return found
    if begun.exists():
        found = read_json(begun)
        if found != described:
            raise FileError(
                f"{output}: holds {_differing({'request': found}, described)}; {ELSEWHERE}"
            )
    elif output.exists() and any(path.name != WORK for path in output.iterdir()):
        raise FileError(f"{output}: expected an empty folder or an export; {ELSEWHERE}")
    else:
        write_json(begun, described)
    return None


ELSEWHERE = "give another folder, or remove this one"


def _differing(found: Any, described: dict[str, Any]) -> str:
    if not isinstance(found, dict) or not isinstance(found.get("request"), dict):
        return "a manifest.json that no export has written"
    before = found["request"]
    different = [key for key in described if before.get(key) != described[key]]
    return f"an export that differs in {', '.join(different) or 'its entries'}"
