"""`cups extract`: recorded drives become a dataset, and what could not be read is told.

The command line hands over to it. Exit codes beyond its own: 1 when a recording gave nothing or was
refused, 3 when something was lost on the way or the splits leak.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from cups_core.errors import CupsError, InputError
from cups_core.recording.bag_folder import is_bag
from cups_core.recording.recording import open_recording
from cups_training.dataset.assembly import assemble
from cups_training.dataset.card_settings import CardSettings
from cups_training.extraction.bag_source import BagSource
from cups_training.extraction.closing import as_row, print_closing
from cups_training.extraction.drive_extraction import extract_drive
from cups_training.extraction.drive_record import DriveRecord
from cups_training.extraction.progress import counting_pairs
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.topic_map import ROLES, chosen_topics, topics_from_words
from cups_training.labelling.executors import usable_cores
from cups_training.selection.settings import SelectionSettings
from cups_training.setting_words import setting_names, settings_from_words, split_words

GROUPS: dict[str, type[Any]] = {
    "pictures": ExtractionSettings,
    "pairs": SelectionSettings,
    "card": CardSettings,
}
WHOLE, FAILED, WITH_LOSSES = 0, 1, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="one drive each")
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder; grows when it exists"
    )
    parser.add_argument("--drive", metavar="NAME", help="all bags are parts of one drive")
    parser.add_argument(
        "--topics",
        default="",
        metavar="ROLE=TOPIC,...",
        help=f"roles: {', '.join(ROLES)}; others are found by their names (cups inspect)",
    )
    parser.add_argument("--tolerance-ms", metavar="X", help="the setting tolerance_ms")
    parser.add_argument("--workers", type=int, default=usable_cores(), help="threads")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change a setting: {setting_names(GROUPS)}",
    )


def run(chosen: argparse.Namespace) -> int:
    """Extract what is missing, then assemble the dataset.

    Returns:
        0 = all is there, 1 = a recording gave nothing or was refused, 3 = something was lost.

    Raises:
        CupsError: an argument makes no sense, or the dataset cannot be written.
    """
    words = split_words(chosen.set)
    if chosen.tolerance_ms is not None:
        words["tolerance_ms"] = chosen.tolerance_ms
    settings = settings_from_words(words, GROUPS)
    given = topics_from_words(chosen.topics)
    if is_bag(chosen.dataset):
        raise InputError(f"{chosen.dataset}: is a bag; the dataset's folder comes last")
    console = Console(stderr=True)
    records: list[DriveRecord] = []
    failures: list[str] = []
    for name, bags in _drives(chosen.bags, chosen.drive).items():
        try:
            with open_recording(bags) as recording:
                topics = chosen_topics(recording.topics.values(), given, name)
                source = BagSource(name, recording, topics, settings["pictures"])
                with counting_pairs(console, name, source.length) as progress:
                    record = extract_drive(
                        source,
                        chosen.dataset / "drives",
                        settings["pictures"],
                        settings["pairs"],
                        chosen.workers,
                        progress,
                    )
        except CupsError as problem:
            failures.append(str(problem))
        else:
            records.append(record)
    is_dataset = any(record.drives for record in records)
    leaks = assemble(chosen.dataset, settings["card"]) if is_dataset else []
    if chosen.json:
        print(json.dumps(as_row(chosen.dataset, records, failures, leaks), indent=1))
    else:
        print_closing(records, leaks)
    for failure in failures:
        print(f"cups extract: {failure}", file=sys.stderr)
    if failures or not all(record.drives for record in records):
        return FAILED
    return WHOLE if not leaks and all(record.is_whole for record in records) else WITH_LOSSES


def _drives(bags: Sequence[Path], name: str | None) -> dict[str, list[Path]]:
    """The bags of each drive by its name."""
    if name is not None:
        if not name or "/" in name or name.startswith("."):
            raise InputError(f"--drive: expected a name for a folder, found {name!r}")
        return {name: list(bags)}
    drives: dict[str, list[Path]] = {}
    for bag in bags:
        path = bag.resolve()
        drives.setdefault(path.name if path.is_dir() else path.stem, []).append(bag)
    for drive, same in drives.items():
        if len(same) > 1:
            raise InputError(
                f"{', '.join(map(str, same))}: expected bags of different names, found {drive} "
                "twice; extract them one by one with --drive NAME, or join them so"
            )
    return drives
