"""The published trainer's pseudo-labels: two 8-bit maps a frame and the statistics of the classes.

Its stage 2 reads them beside the Cityscapes layout; frames carry the same names there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.settings import setting
from cups_core.thing_stuff import count_frame
from cups_training.exporting import void
from cups_training.exporting.cityscapes_names import SequenceSettings, cities, named_frames
from cups_training.exporting.format import Format, Target
from cups_training.exporting.frames import ExportedDrive
from cups_training.exporting.spool import Row, Spool
from cups_training.exporting.torch_archive import torch_archive
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import FileError, read_picture, write_png, write_whole

MOST_INSTANCES = 255
TRAINER_THRESHOLD = 0.08
COUNTS = {
    "distribution all pixels": "pixels",
    "distribution inside object proposals": "pixels_in_masks",
    "distribution per object proposal": "masks",
}
"""Names of the trainer's statistics and ours."""


@dataclass(frozen=True)
class PseudoLabelSettings(SequenceSettings):
    """Which frames, and what the statistics say."""

    statistics: str = setting(
        "counted",
        "counted: the pixels as they are, from which the trainer splits things and stuff its own "
        "way; recipe: all pixels of thing classes count as inside masks and none of stuff, so that "
        "the trainer arrives at the split of the recipe",
        choices=("counted", "recipe"),
    )


class CupsPseudoLabels(Format[PseudoLabelSettings]):
    """<split>/<name>_semantic.png, _instance.png and pseudo_classes_split_1.pt."""

    PURPOSE = "pseudo-labels as the published trainer reads them"
    NEEDS_LABELS = True
    SETTINGS = PseudoLabelSettings

    def __init__(self, target: Target[PseudoLabelSettings]) -> None:
        super().__init__(target)
        self._cities = cities(target.drives)
        self._size = 1 + max((known.id for known in target.classes), default=-1)

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        for frame, name in named_frames(drive, self._cities[drive.name], self.target.settings):
            if not name or frame.labels is None or not frame.is_labelled:
                reason = "without_label" if name else "left_out_at_the_end_of_clips"
                yield {"regions": [], "counts": {reason: 1}}
                continue
            semantic, instances, dropped = _maps(frame.labels.folder, drive.name, frame.stamp_ns)
            stem = self.target.root / drive.split / f"{name}_leftImg8bit"
            write_png(stem.with_name(f"{stem.name}_semantic.png"), semantic, is_map=True)
            write_png(stem.with_name(f"{stem.name}_instance.png"), instances, is_map=True)
            counts = count_frame(semantic, instances.astype(np.uint16), self._size)
            yield {
                "regions": [],
                "counts": {"labelled": 1, "objects_beyond_255": dropped},
                "size": drive.drive.rig.shape,
                "statistics": {key: getattr(counts, key).tolist() for key in COUNTS.values()},
            }

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        things = [known.id for known in self.target.classes.things]
        notes = {}
        for split in spool.splits:
            total = {key: np.zeros(self._size, np.int64) for key in COUNTS.values()}
            sizes = set()
            for row in spool.rows(split):
                for key, counts in row.get("statistics", {}).items():
                    total[key] += np.array(counts, np.int64)
                if "size" in row:
                    sizes.add(tuple(row["size"]))
            if self.target.settings.statistics == "recipe":
                total["pixels_in_masks"] = np.where(
                    np.isin(np.arange(self._size), things), total["pixels"], 0
                )
            content = torch_archive({name: total[key] for name, key in COUNTS.items()})
            write_whole(self.target.root / split / "pseudo_classes_split_1.pt", content)
            notes[split] = _for_the_trainer(total, things, sorted(sizes))
        return notes


def _maps(
    folder: LabelFolder, drive: str, stamp_ns: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """The maps with 255 instances at most, and how many more there were."""
    semantic = read_picture(folder.semantic(drive, stamp_ns))
    ids = read_picture(folder.instance(drive, stamp_ns))
    found, areas = np.unique(ids[ids > 0], return_counts=True)
    largest = np.sort(found[np.argsort(-areas, kind="stable")[:MOST_INSTANCES]])
    number_of = np.zeros(int(ids.max(initial=0)) + 1, np.uint8)
    number_of[largest] = np.arange(1, len(largest) + 1)
    instances = number_of[ids]
    semantic[(ids > 0) & (instances == void.NO_INSTANCE)] = void.SEMANTIC
    return semantic, instances, len(found) - len(largest)


def _for_the_trainer(
    total: dict[str, NDArray[np.int64]], things: list[int], sizes: list[tuple[int, ...]]
) -> dict[str, Any]:
    """What the trainer will make of the statistics, and the options that fit the files."""
    shares = total["pixels_in_masks"] / (total["pixels"] + 1e-6)
    shares = shares / max(shares.sum(), 1e-6)
    order = np.argsort(-shares, kind="stable")
    found = order[shares[order] > TRAINER_THRESHOLD].tolist()
    threshold = None
    if things and set(order[: len(things)].tolist()) == set(things):
        last = float(shares[order[len(things) - 1]])
        after = float(shares[order[len(things)]]) if len(things) < len(order) else 0.0
        threshold = round((last + after) / 2, 6) if last > after else None
    if len(sizes) > 1:
        raise FileError(
            f"pictures of sizes {sizes}: the trainer crops all to one; export one split for each "
            "size"
        )
    options: dict[str, Any] = {
        "DATA.SCALE": 1.0,
        "DATA.IGNORE_UNKNOWN_THING_REGIONS": True,
        "DATA.THING_STUFF_THRESHOLD": threshold or TRAINER_THRESHOLD,
    }
    if sizes:
        options["DATA.CROP_RESOLUTION"] = list(sizes[0])
    return {
        "things_of_the_recipe": sorted(things),
        f"things_at_threshold_{TRAINER_THRESHOLD}": sorted(found),
        "threshold_that_gives_the_recipe": threshold,
        "trainer_options": options,
    }
