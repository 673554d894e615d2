"""The `cups` command; each verb hands over to the module that does the work.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from cups_core.errors import CupsError

VERBS = {
    "doctor": ("cups_training.doctor.command", "say what is installed and whether it fits"),
    "demo": ("cups_training.demo.command", "play a stereo drive through the vehicle node"),
    "fit-semantics": (
        "cups_training.semantics_fitting.command",
        "find pseudo-classes in a dataset's drives",
    ),
    "label": (
        "cups_training.labelling.command",
        "make panoptic pseudo-labels of a dataset's drives",
    ),
    "predict": ("cups_training.prediction.command", "run a model on images"),
    "export-model": (
        "cups_training.model_export.command",
        "make a model for vehicles of a checkpoint",
    ),
    "engine": ("cups_training.engines.command", "build or inspect a model's TensorRT engine"),
    "checkpoint": ("cups_training.checkpoints.command", "say what a file of weights is"),
}
"""Module and purpose of each verb; the module has `add_arguments(parser)` and `run(chosen)`."""


def parser(verb: str) -> argparse.ArgumentParser:
    """All verbs, and the arguments of the one that is asked for: the others are not loaded."""
    root = argparse.ArgumentParser(
        prog="cups", description="A stereo rig drives; the software learns to see from what moved."
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    for name, (module, purpose) in VERBS.items():
        one = verbs.add_parser(name, help=purpose)
        if name == verb:
            command = importlib.import_module(module)
            command.add_arguments(one)
            one.set_defaults(run=command.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    chosen = parser(next(iter(words), "")).parse_args(words)
    try:
        return int(chosen.run(chosen))
    except CupsError as error:
        print(f"cups {chosen.verb}: {error}", file=sys.stderr)
        return 1
