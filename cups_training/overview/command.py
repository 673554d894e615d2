"""`cups overview`: the page of a dataset, made anew.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cups_training.overview.overview import write_overview


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("dataset", type=Path, help="folder with drives/")


def run(chosen: argparse.Namespace) -> int:
    """Write the page and print where it is.

    Raises:
        FileError: there is no drive, a file is broken, or the disk is full.
    """
    print(write_overview(chosen.dataset))
    return 0
