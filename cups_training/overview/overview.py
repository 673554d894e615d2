"""Writes the overview of a dataset: one page with everything in it, and a sheet of each drive.

`cups overview` calls it, and extraction and import at their end. A dataset of any size costs a few
looks at its pictures: of large ones only some drives are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cups_training.dataset.dataset import Dataset
from cups_training.dataset.layout import MANIFEST
from cups_training.dataset.splits import read_splits
from cups_training.overview.concerns import concerns
from cups_training.overview.drive_facts import DriveFacts, drive_facts
from cups_training.overview.label_state import label_states
from cups_training.overview.page import Content, overview_page
from cups_training.overview.reasons import KEPT
from cups_training.overview.samples import look_at, measured_in_part
from cups_training.overview.sheets import as_jpeg, drive_sheet
from cups_training.whole_files import read_json, write_whole

PAGE, SHEETS = "overview.html", "overview"
MOST_SAMPLES = 36
"""Frames that are looked at: three pictures each of about 20 kB within the page."""
MOST_PER_DRIVE = 3
NAMES_IN_TITLE = 3
MOST_MEASURED = 400
"""Frames that are measured for the curves of drives that were never measured."""


def write_overview(root: Path) -> Path:
    """Write `overview.html` and `overview/<drive>.jpg` into the folder of a dataset.

    Args:
        root: folder of the dataset.

    Returns:
        The page.

    Raises:
        FileError: there is no drive, a file is broken, or the disk is full.
    """
    dataset = Dataset(root)
    splits = read_splits(root)
    drives = [drive_facts(drive, splits.get(drive.name, "")) for drive in dataset.drives]
    manifest = read_json(root / MANIFEST) if (root / MANIFEST).exists() else {}
    shown = _chosen(drives)
    per_drive = max(1, min(MOST_PER_DRIVE, MOST_SAMPLES // len(shown)))
    per_curve = max(2, MOST_MEASURED // len(shown))
    shown = [facts if facts.is_measured else measured_in_part(facts, per_curve) for facts in shown]
    looks = {facts.name: look_at(facts, per_drive) for facts in shown}
    for facts in shown:
        sheet = drive_sheet(facts, looks[facts.name].samples)
        if sheet is not None:
            write_whole(root / SHEETS / f"{facts.name}.jpg", as_jpeg(sheet))
    page = overview_page(
        Content(
            _title(drives, manifest),
            manifest,
            drives,
            shown,
            looks,
            concerns(drives, looks, manifest),
            label_states(dataset),
            sum(facts.bytes_on_disk for facts in drives),
        )
    )
    write_whole(root / PAGE, page.encode())
    return root / PAGE


def _title(drives: Sequence[DriveFacts], manifest: Mapping[str, Any]) -> str:
    """What the card calls the dataset; the folder's name is no part of the bytes."""
    said = str(manifest.get("card", {}).get("title", ""))
    names = ", ".join(facts.name for facts in drives[:NAMES_IN_TITLE])
    more = len(drives) - NAMES_IN_TITLE
    return said or f"Stereo drives {names}" + (f" and {more} more" if more > 0 else "")


def _chosen(drives: Sequence[DriveFacts]) -> list[DriveFacts]:
    """Drives that are looked at: half of them odd ones, where there are so many, others evenly."""
    if len(drives) <= MOST_SAMPLES:
        return list(drives)
    odd = [
        facts
        for facts in drives
        if facts.lost or facts.provenance.get("notes") or 2 * facts.kinds[KEPT] < len(facts.pairs)
    ]
    chosen = {facts.name for facts in odd[: MOST_SAMPLES // 2]}
    rest = [facts for facts in drives if facts.name not in chosen]
    places = np.linspace(0, len(rest) - 1, MOST_SAMPLES - len(chosen)).astype(int)
    chosen |= {rest[place].name for place in places}
    return [facts for facts in drives if facts.name in chosen]
