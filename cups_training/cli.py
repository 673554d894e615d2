"""The `cups` command; each verb hands over to the module that does the work.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cups_core.errors import CupsError
from cups_training.demo.run import make_synthetic_drive, run_demo
from cups_training.doctor.report import print_report
from cups_training.labelling import command as labelling


def parser() -> argparse.ArgumentParser:
    """The verbs and their arguments."""
    root = argparse.ArgumentParser(
        prog="cups", description="A stereo rig drives; the software learns to see from what moved."
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    doctor = verbs.add_parser("doctor", help="say what is installed and whether it fits together")
    doctor.set_defaults(run=lambda _: print_report())
    demo = verbs.add_parser("demo", help="play a stereo drive through the vehicle node and report")
    demo.add_argument("--drive", type=Path, help="a bag or a folder of pictures; else a synthetic")
    demo.add_argument("--frames", type=int, default=60, help="length of the synthetic drive")
    demo.add_argument("--seed", type=int, default=6, help="of the synthetic drive")
    demo.add_argument("--output", type=Path, default=Path("demo_output"), help="folder to write to")
    demo.set_defaults(run=_demo)
    label = verbs.add_parser("label", help="make panoptic pseudo-labels of a dataset's drives")
    labelling.add_arguments(label)
    label.set_defaults(run=labelling.run)
    return root


def _demo(chosen: argparse.Namespace) -> int:
    chosen.output.mkdir(parents=True, exist_ok=True)
    drive = chosen.drive or make_synthetic_drive(chosen.output, chosen.frames, chosen.seed)
    run_demo(drive, chosen.output)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit code."""
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except CupsError as error:
        print(f"cups {chosen.verb}: {error}", file=sys.stderr)
        return 1
