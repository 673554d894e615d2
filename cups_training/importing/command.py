"""`cups import`: KITTI, Cityscapes, EuRoC and plain folders of pictures become a dataset.

The command line hands over to it; `several_drives` has the exit codes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from cups_core.errors import InputError
from cups_core.recording.image_folders import ImageFolder, find_image_folders
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.several_drives import GROUPS, add_common_arguments, extract_all
from cups_training.importing.folder_source import FolderSource
from cups_training.setting_words import settings_from_words, split_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="a drive, a folder of drives, or the root of Cityscapes",
    )
    parser.add_argument(
        "--drives", default="*", metavar="PATTERN", help="only drives of such names, as aachen_*"
    )
    parser.add_argument(
        "--rate",
        type=float,
        metavar="HZ",
        help="frames per second where nothing says when pictures were taken "
        "(default 10, Cityscapes 17)",
    )
    add_common_arguments(parser)


def run(chosen: argparse.Namespace) -> int:
    """Import what is missing, then assemble the dataset.

    Returns:
        0 = all is there, 1 = a drive gave nothing or was refused, 3 = something was lost.

    Raises:
        CupsError: an argument makes no sense, no drive is found, or the dataset cannot be written.
    """
    settings = settings_from_words(split_words(chosen.set), GROUPS)
    if chosen.rate is not None and not chosen.rate > 0:
        raise InputError(f"--rate: expected frames per second, found {chosen.rate}")
    drives = _drives(chosen.folders, chosen.rate, chosen.drives)
    openers = {
        name: partial(_opened, folder, settings["pictures"]) for name, folder in drives.items()
    }
    return extract_all(openers, chosen, settings)


def _opened(folder: ImageFolder, settings: ExtractionSettings) -> nullcontext[FolderSource]:
    return nullcontext(FolderSource(folder, settings))


def _drives(folders: Sequence[Path], rate_hz: float | None, pattern: str) -> dict[str, ImageFolder]:
    drives: dict[str, ImageFolder] = {}
    for path in folders:
        for found in find_image_folders(path, rate_hz):
            if found.name in drives:
                raise InputError(
                    f"{path}: expected drives of different names, found {found.name} twice: "
                    "rename one of the folders"
                )
            drives[found.name] = found
    chosen = {name: found for name, found in drives.items() if fnmatch(name, pattern)}
    if not chosen:
        raise InputError(f"--drives {pattern}: expected one of {', '.join(list(drives)[:20])}")
    return chosen
