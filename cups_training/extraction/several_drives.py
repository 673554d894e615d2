"""Sources one after the other become a dataset: what `cups extract` and `cups import` share.

Exit codes beyond those of the command line: 1 when a source gave nothing or was refused, 3 when
something was lost on the way or the splits leak.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console

from cups_core.errors import CupsError
from cups_training.dataset.assembly import assemble
from cups_training.dataset.card_settings import CardSettings
from cups_training.extraction.closing import as_row, print_closing
from cups_training.extraction.drive_extraction import extract_drive
from cups_training.extraction.drive_record import DriveRecord
from cups_training.extraction.progress import counting_pairs
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.source import StereoSource
from cups_training.labelling.executors import usable_cores
from cups_training.selection.settings import SelectionSettings
from cups_training.setting_words import setting_names

GROUPS: dict[str, type[Any]] = {
    "pictures": ExtractionSettings,
    "pairs": SelectionSettings,
    "card": CardSettings,
}
WHOLE, FAILED, WITH_LOSSES = 0, 1, 3

Opener = Callable[[], AbstractContextManager[StereoSource]]


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments behind the sources."""
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder; grows when it exists"
    )
    parser.add_argument("--workers", type=int, default=usable_cores(), help="threads")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change a setting: {setting_names(GROUPS)}",
    )


def extract_all(
    openers: Mapping[str, Opener], chosen: argparse.Namespace, settings: Mapping[str, Any]
) -> int:
    """Extract what is missing of each source, assemble the dataset, and tell what came of it.

    Args:
        openers: by the name of the drive; each opens its source.
        chosen: the arguments of `add_common_arguments`, and the verb.
        settings: of each group in `GROUPS`.

    Returns:
        0 = all is there, 1 = a source gave nothing or was refused, 3 = something was lost.

    Raises:
        CupsError: the dataset cannot be written.
    """
    console = Console(stderr=True)
    records: list[DriveRecord] = []
    failures: list[str] = []
    for name, opened in openers.items():
        try:
            with opened() as source, counting_pairs(console, name, source.length) as progress:
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
        sys.stdout.write(
            json.dumps(as_row(chosen.dataset, records, failures, leaks), indent=1) + "\n"
        )
    else:
        print_closing(records, leaks)
        if is_dataset:
            sys.stdout.write(f"look at it: cups overview {shlex.quote(str(chosen.dataset))}\n")
    for failure in failures:
        sys.stderr.write(f"cups {chosen.verb}: {failure}\n")
    if failures or not all(record.drives for record in records):
        return FAILED
    return WHOLE if not leaks and all(record.is_whole for record in records) else WITH_LOSSES
