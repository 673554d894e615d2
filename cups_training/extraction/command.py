"""`cups extract`: recorded drives become a dataset, and what could not be read is told.

The command line hands over to it; `several_drives` has the exit codes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cups_core.errors import InputError
from cups_core.recording.bag_folder import is_bag
from cups_core.recording.recording import open_recording
from cups_training.extraction.bag_source import BagSource
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.several_drives import GROUPS, add_common_arguments, extract_all
from cups_training.extraction.topic_map import ROLES, chosen_topics, topics_from_words
from cups_training.setting_words import settings_from_words, split_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="one drive each")
    parser.add_argument("--drive", metavar="NAME", help="all bags are parts of one drive")
    parser.add_argument(
        "--topics",
        default="",
        metavar="ROLE=TOPIC,...",
        help=f"roles: {', '.join(ROLES)}; others are found by their names (cups inspect)",
    )
    parser.add_argument("--tolerance-ms", metavar="X", help="the setting tolerance_ms")
    add_common_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Extract what is missing, then assemble the dataset.

    Returns:
        0 = all is there, 1 = a recording gave nothing or was refused, 3 = something was lost.

    Raises:
        CupsError: an argument makes no sense, or the dataset cannot be written.
    """
    words = split_words(chosen.set)
    if chosen.tolerance_ms is not None:
        words["tolerance_ms"] = chosen.tolerance_ms
    settings = settings_from_words(words, GROUPS)
    topics = topics_from_words(chosen.topics)
    if is_bag(chosen.dataset):
        raise InputError(f"{chosen.dataset}: is a bag; the dataset's folder comes last")
    openers = {
        name: partial(_opened, name, bags, topics, settings["pictures"])
        for name, bags in _drives(chosen.bags, chosen.drive).items()
    }
    return extract_all(openers, chosen, settings)


@contextmanager
def _opened(
    name: str, bags: Sequence[Path], given: Mapping[str, str], settings: ExtractionSettings
) -> Iterator[BagSource]:
    with open_recording(bags) as recording:
        topics = chosen_topics(recording, given, name)
        yield BagSource(name, recording, topics, settings)


def _drives(bags: Sequence[Path], name: str | None) -> dict[str, list[Path]]:
    """The bags of each drive by its name."""
    if name is not None:
        if not name or "/" in name or name.startswith("."):
            raise InputError(f"--drive: expected a name for a folder, found {name!r}")
        return {name: list(bags)}
    drives: dict[str, list[Path]] = {}
    for bag in bags:
        path = bag.resolve()
        drives.setdefault(path.name if path.is_dir() else path.stem, []).append(bag)
    for drive, same in drives.items():
        if len(same) > 1:
            raise InputError(
                f"{', '.join(map(str, same))}: expected bags of different names, found {drive} "
                "twice; extract them one by one with --drive NAME, or join them so"
            )
    return drives
