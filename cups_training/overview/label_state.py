"""How far the labels of a dataset are: frames with masks, without one, failed, by recipe.

The overview shows it beside the splits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_result import EMPTY, FAILED, LABELLED
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import read_json, read_json_lines


@dataclass(frozen=True)
class LabelState:
    """The labels of one recipe.

    Attributes:
        recipe: name of the folder.
        labelled: frames with masks.
        empty: frames without one.
        failed: frames that could not be labelled.
        things: number of thing classes.
        stuff: number of stuff classes.
        is_finished: whether all clips are there and the gate has judged.
        report: path of the report relative to the dataset; empty where there is none yet.
    """

    recipe: str
    labelled: int
    empty: int
    failed: int
    things: int
    stuff: int
    is_finished: bool
    report: str


def label_states(dataset: Dataset) -> list[LabelState]:
    """The labels of every recipe, by name.

    Raises:
        FileError: a file is broken.
    """
    recipes = sorted(path for path in (dataset.root / "labels").glob("*") if path.is_dir())
    return [_state(dataset.root, LabelFolder(path)) for path in recipes]


def _state(root: Path, folder: LabelFolder) -> LabelState:
    is_finished = folder.quality.exists()
    rows = read_json_lines(folder.quality) if is_finished else []
    counts = Counter(row["status"] for row in rows)
    split = read_json(folder.thing_stuff) if folder.thing_stuff.exists() else {}
    report = folder.report.relative_to(root).as_posix() if folder.report.exists() else ""
    return LabelState(
        folder.root.name,
        counts[LABELLED],
        counts[EMPTY],
        counts[FAILED],
        len(split.get("things", ())),
        len(split.get("stuff", ())),
        is_finished,
        report,
    )
