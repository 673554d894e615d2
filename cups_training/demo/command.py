"""`cups demo`: a stereo drive through the vehicle node, filmed and reported.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cups_training.demo.run import make_synthetic_drive, run_demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("--drive", type=Path, help="a bag or a folder of pictures; else synthetic")
    parser.add_argument("--frames", type=int, default=60, help="length of the synthetic drive")
    parser.add_argument("--seed", type=int, default=6, help="of the synthetic drive")
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder to write to"
    )


def run(chosen: argparse.Namespace) -> int:
    """Make the drive where none is given, play it, report; 0 = done."""
    chosen.output.mkdir(parents=True, exist_ok=True)
    drive = chosen.drive or make_synthetic_drive(chosen.output, chosen.frames, chosen.seed)
    run_demo(drive, chosen.output)
    return 0
