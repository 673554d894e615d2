"""A small dataset with labels that were painted, not computed: all that was written is known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.motion.segments import areas_and_boxes
from cups_core.panoptic import PanopticMap, Segment
from cups_core.rig import StereoRig
from cups_core.thing_stuff import ThingStuff
from cups_training.cli import main
from cups_training.dataset.drive import DriveWriter
from cups_training.labelling.coco_panoptic import (
    annotation_entry,
    categories,
    class_names,
    encode,
    image_entry,
)
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import write_json, write_json_lines, write_png

HEIGHT, WIDTH = 24, 40
RIG = StereoRig(np.array([[30.5, 0, 19.25], [0, 31.0, 11.5], [0, 0, 1]]), 0.25, WIDTH, HEIGHT)
START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
SPLIT = ThingStuff(things=(4, 1), stuff=(0, 2, 3, 5), evidence=())
RECIPE = "painted"
GAP_BEFORE = 4
"""Frame of the first drive before which time is missing."""
UNLABELLED = ("day_1", 5)
TRUTH_UNITS_PER_PX = 64


def panoptic_map(values: NDArray[Any], tracks: int = 3) -> PanopticMap:
    """The map in which each value is a segment, 0 = void.

    Odd values are things; classes and tracks follow from the values.
    """
    present = [int(value) for value in np.unique(values) if value]
    segments = np.zeros(values.shape, np.uint16)
    for number, value in enumerate(present, start=1):
        segments[values == value] = number
    measured = areas_and_boxes(segments)
    names, unknown = class_names(SPLIT), np.full(3, np.nan)
    stuff = sorted(SPLIT.stuff)
    table = []
    for number, value in enumerate(present, start=1):
        is_thing = value % 2 == 1
        kind = SPLIT.things[value // 2 % 2] if is_thing else stuff[value // 2 % len(stuff)]
        area, box = measured[number]
        track, score = (tracks + value, 0.5) if is_thing else (0, 1.0)
        table.append(
            Segment(number, kind, names[kind], is_thing, score, area, box, track, unknown, unknown)
        )
    return PanopticMap(segments, tuple(table))


def street(frame: int) -> NDArray[np.uint8]:
    """A map of a drive: stuff, a void strip, objects that move; one of them is cut in two."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[:10] = 2
    values[12:] = 4
    values[14:20, 3 + frame : 9 + frame] = 1
    values[9:16, 25 - frame : 31 - frame] = 3
    values[5:22, 18:20] = 4
    if frame % 2:
        values[2:6, 34:] = 5
    return values


@dataclass
class Painted:
    """A dataset and what is in it."""

    root: Path
    labels: dict[tuple[str, int], PanopticMap] = field(default_factory=dict)
    pictures: dict[tuple[str, int, str], NDArray[np.uint8]] = field(default_factory=dict)

    def stamps(self, drive: str) -> list[int]:
        """Stamps of all frames of a drive."""
        return sorted({stamp for name, stamp, _ in self.pictures if name == drive})

    def label(self, drive: str, index: int) -> PanopticMap:
        """The label of a frame by its index in the drive."""
        return self.labels[drive, self.stamps(drive)[index]]

    def value_map(
        self, drive: str, index: int, value_of: Callable[[Segment], int], void: int
    ) -> NDArray[np.int64]:
        """The label with a value for each segment."""
        label = self.label(drive, index)
        found = np.full(label.segments.shape, void, np.int64)
        for one in label.table:
            found[label.segments == one.id] = value_of(one)
        return found


def write_labels(painted: Painted) -> None:
    """All files of a finished recipe that exporting reads."""
    folder = LabelFolder(painted.root / "labels" / RECIPE)
    images, annotations = [], []
    for number, ((drive, stamp), label) in enumerate(sorted(painted.labels.items()), start=1):
        colors, entries = encode(label)
        write_png(folder.panoptic(drive, stamp), colors, is_map=True)
        semantic = np.full(label.segments.shape, 255, np.uint8)
        instances = np.zeros(label.segments.shape, np.uint16)
        for one in label.table:
            semantic[label.segments == one.id] = one.class_id
            if one.is_thing:
                instances[label.segments == one.id] = one.id
        write_png(folder.semantic(drive, stamp), semantic)
        write_png(folder.instance(drive, stamp), instances)
        height, width = label.segments.shape
        images.append(image_entry(number, drive, stamp, width, height))
        annotations.append(annotation_entry(number, drive, stamp, entries))
    content = {"annotations": annotations, "categories": categories(SPLIT), "images": images}
    folder.panoptic_json.write_text(json.dumps(content, sort_keys=True))
    write_json(folder.recipe, {"format": 1})


def paint_dataset(root: Path) -> Painted:
    """Two drives, one with a gap and a frame without a label, one with truth; two splits."""
    painted = Painted(root)
    random = np.random.default_rng(7)
    for drive, length in (("day_1", 7), ("night", 3)):
        writer = DriveWriter(root / "drives" / drive, RIG)
        rows = []
        for index in range(length):
            late = index >= GAP_BEFORE
            stamp = START + index * PERIOD + 3 * PERIOD * late + 123 * index
            rows.append({"stamp_ns": stamp, "clip": int(late)})
            for side in ("left", "right"):
                picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
                painted.pictures[drive, stamp, side] = picture
                write_png(root / "drives" / drive / side / f"{stamp}.png", picture)
            if (drive, index) != UNLABELLED:
                painted.labels[drive, stamp] = panoptic_map(street(index))
            if drive == "night":
                disparity = random.integers(0, 300 * TRUTH_UNITS_PER_PX, (HEIGHT, WIDTH))
                write_png(
                    root / "truth" / drive / f"{stamp}_disparity.png", disparity.astype(np.uint16)
                )
        writer.finish_rows(rows)
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("day_1\n")
    (root / "splits" / "val.txt").write_text("night\n")
    write_labels(painted)
    return painted


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Painted:
    """The dataset; tests that change it take a copy."""
    return paint_dataset(tmp_path_factory.mktemp("painted") / "city drives")


@pytest.fixture
def own(painted: Painted, tmp_path: Path) -> Painted:
    """A copy that a test may change."""
    root = Path(shutil.copytree(painted.root, tmp_path / "own"))
    return Painted(root, dict(painted.labels), dict(painted.pictures))


def use_suffixes(painted: Painted, left: str, right: str) -> None:
    """Store the pictures of a dataset as other files: webp without loss, or jpg."""
    for drive in sorted((painted.root / "drives").iterdir()):
        rows = []
        after_gap = START + (GAP_BEFORE + 3) * PERIOD
        for stamp in painted.stamps(drive.name):
            row: dict[str, Any] = {"stamp_ns": stamp, "clip": int(stamp >= after_gap)}
            for side, suffix in (("left", left), ("right", right)):
                picture = painted.pictures[drive.name, stamp, side]
                (drive / side / f"{stamp}.png").unlink()
                options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == "webp" else []
                _, data = cv2.imencode(f".{suffix}", picture[..., ::-1], options)
                row[side] = f"{side}/{stamp}.{suffix}"
                (drive / row[side]).write_bytes(data.tobytes())
            rows.append(row)
        write_json_lines(drive / "frames.jsonl", rows)


Export = Callable[..., Path]


@pytest.fixture
def export(painted: Painted, tmp_path: Path) -> Export:
    """Runs `cups export` with labels and without privacy; the output folder."""

    def run(
        name: str, *words: str, root: Path = painted.root, recipe: str = RECIPE, out: str = ""
    ) -> Path:
        output = tmp_path / (out or name)
        with_labels = ("--recipe", recipe) if recipe else ()
        arguments = ("export", str(root), name, str(output), *with_labels, "--no-privacy", *words)
        assert main(arguments) == 0
        return output

    return run


def all_bytes(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
