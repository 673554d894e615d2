"""Scores labels on disk against the truth of a synthetic dataset; several recipes give one table.

    python -m cups_training.synthetic --suite val --dataset DIR
    cups label DIR
    python -m benchmark.stage1 --dataset DIR [--labels RECIPE ...] [--scenarios] [--smallest PX]

`--labels` takes names of recipes or folders; without it all recipes of the dataset are judged. A
frame of a labelled drive that has no label counts as one that says nothing.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.stage1_scores import (
    FrameScores,
    LabelMaps,
    Row,
    TruthMaps,
    label_rows,
    mask_row,
    score_frame,
)
from benchmark.table import print_rows
from cups_core.panoptic import UNKNOWN_CLASS
from cups_training.dataset.dataset import Dataset
from cups_training.synthetic.dataset import DISPARITY_UNITS_PER_PX
from cups_training.whole_files import FileError, read_json, read_json_lines, read_picture

ALL = "all"


@dataclass(frozen=True)
class LabelFiles:
    """The files of one recipe's labels.

    Attributes:
        root: folder of the labels.
        is_thing: bool (clusters,), of the pseudo-classes.
        segments: id and pseudo-class of each segment, by file name of the panoptic map.
        drives: names of the drives that were labelled, whether it worked or not.
    """

    root: Path
    is_thing: NDArray[np.bool_]
    segments: dict[str, dict[int, int]]
    drives: frozenset[str]

    @staticmethod
    def open(root: Path) -> LabelFiles:
        """Read the tables.

        Raises:
            FileError: there is no panoptic.json or quality.jsonl.
        """
        found = read_json(root / "panoptic.json")
        is_thing = np.zeros(max(item["id"] for item in found["categories"]) + 1, bool)
        for item in found["categories"]:
            is_thing[item["id"]] = bool(item["isthing"])
        segments = {
            item["file_name"]: {one["id"]: one["category_id"] for one in item["segments_info"]}
            for item in found["annotations"]
        }
        drives = frozenset(row["drive"] for row in read_json_lines(root / "quality.jsonl"))
        return LabelFiles(root, is_thing, segments, drives)

    def maps(self, drive: str, stamp_ns: int, shape: tuple[int, int]) -> LabelMaps:
        """The label of one frame; void everywhere where there is none.

        Raises:
            FileError: a map is missing though it is listed.
        """
        name = f"{drive}/{stamp_ns}.png"
        if name not in self.segments:
            nothing = np.zeros(shape, np.uint16)
            void = np.full(shape, UNKNOWN_CLASS, np.uint16)
            return LabelMaps(nothing, void, void, nothing)
        pair = self.root / "pairs" / drive
        red, green, blue = np.moveaxis(
            read_picture(self.root / "panoptic" / name).astype(np.int64), -1, 0
        )
        ids = red + 256 * green + 65536 * blue
        listed = np.array(sorted({0: 0} | self.segments[name]))
        place = np.searchsorted(listed[1:], ids, side="right")
        if (listed[place] != ids).any():
            raise FileError(f"{self.root}: {name} shows segments that panoptic.json does not list")
        class_of = [self.segments[name].get(number, UNKNOWN_CLASS) for number in listed.tolist()]
        return LabelMaps(
            read_picture(pair / f"{stamp_ns}_instance.png").astype(np.uint16),
            read_picture(pair / f"{stamp_ns}_semantic.png"),
            np.array(class_of, np.uint16)[place],
            place.astype(np.uint16),
        )


def read_truth(dataset: Dataset, drive: str, stamp_ns: int, focal_baseline: float) -> TruthMaps:
    """The truth of one frame.

    Raises:
        FileError: a map is missing.
    """
    semantic, instance, moving, disparity = (
        read_picture(dataset.truth(drive) / f"{stamp_ns}_{kind}.png")
        for kind in ("semantic", "instance", "moving", "disparity")
    )
    distances = disparity.astype(np.float32) / np.float32(DISPARITY_UNITS_PER_PX)
    return TruthMaps(semantic, instance, moving, distances, focal_baseline)


def score_labels(
    dataset: Dataset, labels: LabelFiles, smallest_px: int
) -> dict[str, list[FrameScores]]:
    """Scores of all frames of the labelled drives by scenario, which ends a drive's name."""
    found: dict[str, list[FrameScores]] = defaultdict(list)
    for drive in dataset.drives:
        if drive.name not in labels.drives:
            continue
        scenario = drive.name.partition("_")[2] or "usual"
        for stamp_ns in drive.stamps_ns:
            truth = read_truth(dataset, drive.name, stamp_ns, drive.rig.focal_baseline)
            label = labels.maps(drive.name, stamp_ns, drive.rig.shape)
            found[scenario].append(score_frame(label, truth, smallest_px))
    return found


def tables(
    dataset: Dataset, folders: list[Path], *, by_scenario: bool, smallest_px: int
) -> dict[str, list[Row]]:
    """Rows of masks and of panoptic labels, one per recipe or per recipe and scenario."""
    found: dict[str, list[Row]] = {"masks, %": [], "panoptic labels, %": []}
    for folder in folders:
        labels = LabelFiles.open(folder)
        scored = score_labels(dataset, labels, smallest_px)
        groups = scored if by_scenario else {ALL: [one for rows in scored.values() for one in rows]}
        panoptic = label_rows(groups, labels.is_thing)
        for name, frames in groups.items():
            title: Row = {"labels": folder.name, "drives": name}
            found["masks, %"].append(title | mask_row(frames))
            found["panoptic labels, %"].append(title | panoptic[name])
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True, help="folder with drives and truth")
    parser.add_argument("--labels", nargs="+", help="recipes, or folders of labels (default all)")
    parser.add_argument(
        "--scenarios", action="store_true", help="usual, all_static and ego_stopped apart"
    )
    parser.add_argument(
        "--smallest",
        type=int,
        default=0,
        metavar="PX",
        help="leave smaller true things out of panoptic and semantic figures (default 0: none)",
    )
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    given = parser.parse_args()
    try:
        dataset = Dataset(given.dataset)
        names = given.labels or sorted(path.name for path in (dataset.root / "labels").glob("*"))
        if not names:
            raise FileError(f"{dataset.root}: expected labels/<recipe>, found none; run cups label")
        folders = [Path(name) if Path(name).is_dir() else dataset.labels(name) for name in names]
        found = tables(dataset, folders, by_scenario=given.scenarios, smallest_px=given.smallest)
        print_rows(found, given.json)
    except FileError as problem:
        raise SystemExit(str(problem)) from problem


if __name__ == "__main__":
    main()
