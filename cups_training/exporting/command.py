"""`cups export`: a dataset, or its labels, in a format that other tools read.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cups_training.dataset.dataset import Dataset
from cups_training.dataset.layout import SPLITS
from cups_training.exporting.export import Request, export
from cups_training.exporting.registry import all_formats
from cups_training.exporting.splits import drives_by_split
from cups_training.exporting.streamed_files import compact
from cups_training.privacy.arguments import add_privacy_arguments, anonymizer_from
from cups_training.setting_words import settings_from_words, split_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    formats = all_formats()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "formats:\n" + "\n".join(
        f"  {name:20} {one.PURPOSE}" for name, one in formats.items()
    )
    parser.add_argument("dataset", type=Path, help="folder with drives/")
    parser.add_argument("format", choices=formats, metavar="format", help="see below")
    parser.add_argument("output", type=Path, help="new folder, or one to go on with")
    parser.add_argument("--recipe", default="", help="of the labels that are exported")
    parser.add_argument(
        "--split",
        choices=SPLITS,
        action="append",
        default=[],
        help="only this one; default: all",
    )
    parser.add_argument(
        "--copy", action="store_true", help="copy pictures that a hard link would do for"
    )
    parser.add_argument("--json", action="store_true", help="print the manifest")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting: " + "; ".join(_settings_of_all(formats)),
    )
    add_privacy_arguments(parser)


def _settings_of_all(formats: dict[str, type[Any]]) -> list[str]:
    return [
        f"{name}: {', '.join(field.name for field in fields(one.SETTINGS))}"
        for name, one in formats.items()
        if fields(one.SETTINGS)
    ]


def run(chosen: argparse.Namespace) -> int:
    """Export; 0 = done.

    Raises:
        CupsError: something was not given, is missing or broken.
    """
    dataset = Dataset(chosen.dataset)
    one = all_formats()[chosen.format]
    settings = settings_from_words(split_words(chosen.set), {chosen.format: one.SETTINGS})
    request = Request(
        dataset,
        chosen.format,
        one,
        chosen.output,
        chosen.recipe,
        chosen.split,
        settings[chosen.format],
        anonymizer_from(chosen, dataset),
        chosen.copy,
    )
    exported = {name for names in drives_by_split(dataset, chosen.split).values() for name in names}
    frames = sum(len(drive) for drive in dataset.drives if drive.name in exported)
    with Progress(
        TextColumn("exporting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task("exporting", total=frames)
        manifest = export(request, lambda done: progress.advance(bar, done))
    _print(chosen, manifest)
    return 0


def _print(chosen: argparse.Namespace, manifest: dict[str, Any]) -> None:
    if chosen.json:
        print(json.dumps(manifest, indent=1))
        return
    result = manifest["result"]
    counts = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in result["counts"].items())
    print(f"{chosen.output}: {chosen.format}, {counts}")
    if result["drives_left_out"]:
        print(f"{chosen.output}: without {', '.join(result['drives_left_out'])}")
    for subject, note in result["notes"].items():
        print(f"{subject.replace('_', ' ')}: {compact(note)}")
    if not result["privacy"]["anonymized"]:
        print(f"{chosen.output}: {result['privacy']['note']}")
