"""`cups inspect`: what a recording holds, what is wrong with it, and how to extract it.

The command line hands over. Exit codes: 0 = a dataset can be made of it, 1 = not of one of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from cups_core.errors import RecordingError
from cups_training.extraction.topic_map import ROLES, topics_from_words
from cups_training.inspection.as_json import as_row
from cups_training.inspection.drive_facts import DriveFacts, look_at_drive
from cups_training.inspection.printing import print_drive
from cups_training.inspection.problems import can_be_extracted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "bags", type=Path, nargs="+", metavar="BAG", help="folder or file; one drive each"
    )
    parser.add_argument("--drive", metavar="NAME", help="all bags are parts of one drive")
    parser.add_argument(
        "--topics",
        default="",
        metavar="ROLE=TOPIC,...",
        help=f"roles: {', '.join(ROLES)}; others are found by their names",
    )
    parser.add_argument(
        "--verify", action="store_true", help="read everything, to verify the checksums"
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")


def run(chosen: argparse.Namespace) -> int:
    """Look at each drive and print what was found.

    Returns:
        0 = a dataset can be made of each, 1 = not of all.

    Raises:
        InputError: an argument makes no sense.
    """
    given = topics_from_words(chosen.topics)
    drives = {chosen.drive: list(chosen.bags)} if chosen.drive else {}
    if not drives:
        drives = {str(bag): [bag] for bag in chosen.bags}
    console = Console()
    rows: list[object] = []
    found: list[DriveFacts] = []
    failures: list[str] = []
    for name, bags in drives.items():
        try:
            facts = look_at_drive(name, bags, given, verify=chosen.verify)
        except RecordingError as error:
            failures.append(str(error))
            continue
        found.append(facts)
        if chosen.json:
            rows.append(as_row(facts, chosen.drive))
        else:
            print_drive(console, facts, chosen.drive)
    if chosen.json:
        print(json.dumps({"drives": rows, "failures": failures}, indent=1))
    for failure in failures:
        print(f"cups inspect: {failure}", file=sys.stderr)
    return 0 if not failures and all(map(can_be_extracted, found)) else 1
