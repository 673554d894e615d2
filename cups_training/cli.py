"""The `cups` command; each verb hands over to the module that does the work.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done with losses that were told.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from cups_core.errors import CupsError

PIPE_CLOSED = 128 + 13  # as a shell reports a program that SIGPIPE ended

VERBS = {
    "inspect": ("cups_training.inspection.command", "say what a recorded drive holds"),
    "extract": ("cups_training.extraction.command", "turn recorded drives into a dataset"),
    "import": ("cups_training.importing.command", "turn folders of pictures into a dataset"),
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
    "export": (
        "cups_training.exporting.command",
        "write a dataset and its labels in another tool's format",
    ),
    "overview": ("cups_training.overview.command", "show a dataset on one page"),
    "predict": ("cups_training.prediction.command", "run a model on images"),
    "engine": ("cups_training.engines.command", "build or inspect a model's TensorRT engine"),
    "export-model": (
        "cups_training.model_export.command",
        "make a model for vehicles of a checkpoint",
    ),
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
        code = int(chosen.run(chosen))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads (`| head`) has seen enough; nothing is left to write at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except CupsError as error:
        print(f"cups {chosen.verb}: {error}", file=sys.stderr)
        return 1
