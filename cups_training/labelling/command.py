"""`cups label`: what is missing of a dataset's labels is made, and all is finished and judged.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cups_core.thing_stuff import ThingStuffSettings
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clips import Clip, cut_into_clips, shard_of
from cups_training.labelling.executors import run_in_processes, run_on_ray, usable_cores
from cups_training.labelling.finished import Finished
from cups_training.labelling.finishing import finish
from cups_training.labelling.gate import GateSettings
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.labeller import LabelTask, label_clip
from cups_training.labelling.panoptic_clip import write_panoptic
from cups_training.labelling.recipe import (
    GROUPS,
    RECIPES,
    Recipe,
    Weights,
    described,
    digest,
)
from cups_training.labelling.semantics import fit_where_lacking
from cups_training.setting_words import setting_names, settings_from_words, split_words
from cups_training.whole_files import FileError

JUDGING: dict[str, type[Any]] = {"split": ThingStuffSettings, "gate": GateSettings}
"""Settings that do not change a label: they may differ from run to run."""


class OfClip(Protocol):
    """A task or a result that belongs to one clip."""

    @property
    def clip(self) -> Clip:
        """The clip."""
        ...


Task = TypeVar("Task", bound=OfClip)
Result = TypeVar("Result", bound=OfClip)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("dataset", type=Path, help="folder with drives/")
    parser.add_argument("--recipe", choices=RECIPES, default="fast", help="default: fast")
    parser.add_argument("--name", help="of the folder in labels/, default: the recipe's")
    parser.add_argument("--raft", type=Path, metavar="FILE", help="RAFT weights (raft_smurf.pt)")
    parser.add_argument("--depthg", type=Path, metavar="FILE", help="DepthG weights (depthg.ckpt)")
    parser.add_argument(
        "--semantics", type=Path, metavar="FILE", help="model of `cups fit-semantics`"
    )
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="label this part only")
    parser.add_argument("--workers", type=int, default=usable_cores(), help="processes")
    parser.add_argument("--executor", choices=("processes", "ray"), default="processes")
    parser.add_argument("--finish", action="store_true", help="label nothing, finish what is there")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change a setting: {setting_names(GROUPS | JUDGING)}",
    )


def run(chosen: argparse.Namespace) -> int:
    """Label, finish, judge; 0 = passed, or this shard is done and others are not; 1 = failed.

    Raises:
        CupsError: the dataset, a setting, a weight or the disk does not allow it.
    """
    words = RECIPES[chosen.recipe] | split_words(chosen.set)
    settings = settings_from_words(words, GROUPS | JUDGING)
    recipe = Recipe(**{group: settings[group] for group in GROUPS})
    weights = Weights(chosen.raft, chosen.depthg, chosen.semantics)
    dataset = Dataset(chosen.dataset)
    name = chosen.name or chosen.recipe
    folder = LabelFolder(dataset.labels(name))
    description = described(recipe, weights)
    folder.claim(description)
    console = Console(stderr=True)
    clips = cut_into_clips(
        {drive.name: len(drive) for drive in dataset.drives}, recipe.labels.clip_frames
    )
    if not clips:
        raise FileError(f"{dataset.root}: its drives hold no frames")
    if not chosen.finish:
        _label(chosen, console, dataset, folder, shard_of(clips, chosen.shard), recipe, weights)
    missing = [clip for clip in clips if not folder.clip(clip.drive, clip.first).exists()]
    if missing:
        return _say_missing(chosen, folder, clips, missing)
    finished = finish(
        dataset,
        folder,
        clips,
        f"{name} {digest(description)}",
        settings["split"],
        settings["gate"],
        partial(_run, chosen, console, "writing panoptic maps", write_panoptic),
    )
    _print_summary(chosen, folder, finished)
    return 0 if finished.verdict.is_passed else 1


def _label(
    chosen: argparse.Namespace,
    console: Console,
    dataset: Dataset,
    folder: LabelFolder,
    clips: Sequence[Clip],
    recipe: Recipe,
    weights: Weights,
) -> None:
    paths = {drive.name: drive.path for drive in dataset.drives}
    tasks = [
        LabelTask(paths[clip.drive], folder, clip, recipe, weights)
        for clip in clips
        if not folder.clip(clip.drive, clip.first).exists()
    ]
    console.print(
        f"{len(dataset.drives)} drives, shard {chosen.shard}: {len(clips)} clips, "
        f"{len(clips) - len(tasks)} of them labelled before",
        highlight=False,
    )
    if tasks:
        with console.status("fitting semantics to this dataset, once"):
            fit_where_lacking(dataset, folder, recipe, weights)
    for _ in _run(chosen, console, "labelling", label_clip, tasks):
        pass


def _run(
    chosen: argparse.Namespace,
    console: Console,
    title: str,
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
) -> Iterator[Result]:
    """Results of all tasks, with a progress bar in frames."""
    frames = sum(len(task.clip) for task in tasks)
    results = (
        run_on_ray(function, tasks)
        if chosen.executor == "ray"
        else run_in_processes(function, tasks, chosen.workers)
    )
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        bar = progress.add_task(title, total=frames, rate="")
        for result in results:
            progress.advance(bar, len(result.clip))
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(bar, rate=f"{speed:.1f} frames/s" if speed else "")
            yield result


def _say_missing(
    chosen: argparse.Namespace, folder: LabelFolder, clips: Sequence[Clip], missing: Sequence[Clip]
) -> int:
    if chosen.finish:
        raise FileError(
            f"{folder.root}: {len(missing)} of {len(clips)} clips are not labelled yet, the first "
            f"is {missing[0].drive} from frame {missing[0].first}; run without --finish"
        )
    if chosen.json:
        print(json.dumps({"folder": str(folder.root), "missing_clips": len(missing)}))
    else:
        print(
            f"shard {chosen.shard} is labelled; {len(missing)} of {len(clips)} clips are left to "
            "the other shards, the last one finishes"
        )
    return 0


def _print_summary(chosen: argparse.Namespace, folder: LabelFolder, finished: Finished) -> None:
    summary = finished.summary() | {"folder": str(folder.root)}
    if chosen.json:
        print(json.dumps(summary, indent=1))
        return
    console = Console()
    for key, value in summary.items():
        if key not in ("faults", "causes"):
            console.print(f"{key.replace('_', ' '):>20}  {value}", soft_wrap=True, highlight=False)
    for fault in finished.verdict.faults:
        print(f"cups label: {fault}", file=sys.stderr)
