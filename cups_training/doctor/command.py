"""`cups doctor`: what is installed and whether it fits together; the command line hands over."""

from __future__ import annotations

import argparse

from cups_training.doctor.report import print_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has none."""


def run(chosen: argparse.Namespace) -> int:
    """Print what was found; 0 = it fits, 1 = it does not."""
    return print_report()
