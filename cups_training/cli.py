"""The `cups` command; each verb hands over to the module that does the work.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cups_core.errors import CupsError
from cups_training.doctor.report import print_report


def parser() -> argparse.ArgumentParser:
    """The verbs and their arguments."""
    root = argparse.ArgumentParser(
        prog="cups", description="A stereo rig drives; the software learns to see from what moved."
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    doctor = verbs.add_parser("doctor", help="say what is installed and whether it fits together")
    doctor.set_defaults(run=lambda _: print_report())
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit code."""
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except CupsError as error:
        print(f"cups {chosen.verb}: {error}", file=sys.stderr)  # noqa: T201
        return 1
