"""Command line: `python -m cups_training.synthetic --seed 7 --out drive_bag`.

People and the demo call it to make a bag, a dataset, a contact sheet, or several of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2

from cups_core.errors import CupsError
from cups_training.setting_words import setting_names, settings_from_words, split_words
from cups_training.synthetic.bag import write_bag
from cups_training.synthetic.dataset import write_drive
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.preview import preview
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import SUITE_NAMES, Clip, suite

GROUPS = {"drive": DriveSettings}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 made, 1 failed."""
    given = _parser().parse_args(arguments)
    try:
        settings = _settings(given)
        clips = (
            suite(given.suite, settings) if given.suite else (Clip(given.seed, settings, "usual"),)
        )
        for clip in clips[: given.clips]:
            _make(clip, given, several=given.suite is not None)
    except CupsError as problem:
        print(f"synthetic drive: {problem}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cups_training.synthetic",
        description="Make synthetic stereo drives: a ROS 2 bag with truth topics, a contact sheet.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--seed", type=int, default=1, help="seed of one drive (default 1)")
    source.add_argument("--suite", choices=SUITE_NAMES, help="all drives of a suite, one bag each")
    parser.add_argument("--clips", type=int, help="only the first so many drives of the suite")
    parser.add_argument(
        "--out", type=Path, help="bag directory; with --suite the directory of the bags"
    )
    parser.add_argument("--dataset", type=Path, help="dataset folder: pictures and truth as PNG")
    parser.add_argument(
        "--preview", type=Path, help="contact sheet (PNG); with --suite its directory"
    )
    parser.add_argument("--no-truth", action="store_true", help="leave the /truth topics out")
    parser.add_argument("--frames", type=int, help="frames per drive")
    parser.add_argument("--size", help="WIDTHxHEIGHT, pixels")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"any other setting: {setting_names(GROUPS)}",
    )
    return parser


def _settings(given: argparse.Namespace) -> DriveSettings:
    words = split_words(given.set)
    if given.frames is not None:
        words["frames"] = str(given.frames)
    if given.size:
        words["width"], _, words["height"] = given.size.partition("x")
    settings: DriveSettings = settings_from_words(words, GROUPS)["drive"]
    return settings


def _make(clip: Clip, given: argparse.Namespace, *, several: bool) -> None:
    drive = SyntheticDrive(clip.settings, clip.seed)
    name = f"{clip.seed}_{clip.scenario}"
    if given.out:
        path = given.out / name if several else given.out
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bag(drive, path, with_truth=not given.no_truth, progress=_counter(path, drive))
        print(file=sys.stderr)
        print(path)
    if given.dataset:
        path = given.dataset / "drives" / name
        write_drive(drive, name, given.dataset, progress=_counter(path, drive))
        print(file=sys.stderr)
        print(path)
    if given.preview or not (given.out or given.dataset):
        path = given.preview or Path("synthetic_preview.png")
        path = path / f"{name}.png" if several else path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), preview(drive)[..., ::-1]):
            raise CupsError(
                f"preview: {path} cannot be written; give a .png in a writable directory"
            )
        print(path)


def _counter(path: Path, drive: SyntheticDrive) -> Callable[[int], None]:
    def show(written: int) -> None:
        print(f"\r{path}: frame {written}/{len(drive)}", end="", file=sys.stderr, flush=True)

    return show


if __name__ == "__main__":
    sys.exit(main())
