"""The last word of `cups extract` and `cups import`: what came of each recording, what was lost.

For people as tables, for programs as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cups_training.dataset.leaks import Relation
from cups_training.extraction.drive_record import DriveRecord


def print_closing(records: Sequence[DriveRecord], leaks: Sequence[Relation]) -> None:
    """Print what was extracted and what was not, on standard output."""
    console = Console()
    console.print(_frames(records))
    if any(not record.is_whole for record in records):
        console.print(_losses(records))
    for leak in leaks:
        console.print(
            f"the splits leak: {leak.first} and {leak.second}, {leak.kind}: {leak.detail}",
            highlight=False,
        )


def as_row(
    dataset: Path,
    records: Sequence[DriveRecord],
    failures: Sequence[str],
    leaks: Sequence[Relation],
) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "dataset": str(dataset),
        "recordings": [
            {
                "name": record.name,
                "drives": list(record.drives),
                "frames": record.frames,
                "kept_pairs": record.kept_pairs,
                "clips": record.clips,
                "dropped": dict(record.drops.counts),
                "notes": list(record.notes),
            }
            for record in records
        ],
        "failures": list(failures),
        "leaks": [leak.row() for leak in leaks],
    }


def _frames(records: Sequence[DriveRecord]) -> Table:
    table = Table("recording", "drives", "frames", "kept pairs", "clips", "dropped")
    for record in records:
        drives = ", ".join(record.drives) or "none"
        counts = (record.frames, record.kept_pairs, record.clips, record.drops.counts.total())
        table.add_row(record.name, drives, *map(str, counts))
    return table


def _losses(records: Sequence[DriveRecord]) -> Table:
    table = Table("recording", "how many", "what was lost, and the first case")
    for record in records:
        for reason, count in sorted(record.drops.counts.items()):
            example = record.drops.examples.get(reason, "")
            table.add_row(record.name, str(count), f"{reason}\n{example}".rstrip())
        for note in record.notes:
            table.add_row(record.name, "", note)
    return table
