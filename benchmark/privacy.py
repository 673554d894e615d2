"""How many heads and plates the zones of labels hide, on a synthetic dataset with exact truth.

    python -m cups_training.synthetic --suite val --dataset DIR
    cups label DIR
    python -m benchmark.privacy --dataset DIR [--suite val] [--labels fast] [--every 4] [--json]

A head or plate counts as hidden when 95 % of its visible pixels are unreadable; those with fewer
than 40 visible pixels are left out. Labels are compared with segments of the truth.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmark.privacy_truth import Private, PrivateThings
from benchmark.table import Row, print_rows
from cups_core.motion.segments import areas_and_boxes
from cups_core.panoptic import Segment
from cups_core.thing_stuff import ClassStatistics
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive
from cups_training.labelling.clip_result import LABELLED, ClipResult, FrameRecord
from cups_training.labelling.clips import Clip
from cups_training.labelling.label_folder import LabelFolder
from cups_training.privacy.blurring import BlurSettings, unreadable
from cups_training.privacy.label_zones import ALL, NONE, THINGS, LabelZones
from cups_training.privacy.regions import FrameContext, RegionDetector, Side
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import SUITE_NAMES, suite
from cups_training.whole_files import FileError, read_picture, write_json, write_png

SIDES: tuple[Side, Side] = ("left", "right")
HIDDEN_SHARE = 0.95
PERSONS = f"{StreetClass.PERSON:d},{StreetClass.RIDER:d},{StreetClass.BICYCLE:d}"
VEHICLES = f"{StreetClass.CAR:d}"
VARIANTS = {
    "": (THINGS, THINGS),
    ", heads": (THINGS, NONE),
    ", plates": (NONE, THINGS),
    ", all classes": (ALL, ALL),
}
"""What users may ask for: classes for heads and for plates."""


@dataclass(frozen=True)
class Finding:
    """What became of one head or plate in one picture."""

    kind: str
    side: Side
    moves: bool
    visible_px: int
    hidden_px: int


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True, help="drives of a synthetic suite")
    parser.add_argument("--suite", choices=SUITE_NAMES, default="val", help="which one")
    parser.add_argument("--labels", nargs="*", default=["fast"], help="recipes")
    parser.add_argument("--every", type=int, default=4, help="judge every n-th frame")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    dataset = Dataset(chosen.dataset)
    with TemporaryDirectory() as folder:
        detectors = {
            f"{name}{title}": LabelZones(dataset.labels(name), *words)
            for name in chosen.labels
            for title, words in VARIANTS.items()
        }
        for kind in ("moving", "instance"):
            root = Path(folder) / kind
            for drive in dataset.drives:
                write_truth_labels(dataset, drive, kind, LabelFolder(root))
            name = "truth, what moves" if kind == "moving" else "truth, all"
            detectors[name] = LabelZones(root, PERSONS, VEHICLES)
        found: dict[str, list[Finding]] = {name: [] for name in detectors}
        shares: dict[str, list[float]] = {name: [] for name in detectors}
        for frame, things in frames_with_truth(dataset, chosen.suite, chosen.every):
            for name, detector in detectors.items():
                findings, share = judge(detector, frame, things)
                found[name] += findings
                shares[name].append(share)
    rows = [
        row(name, kind, found[name], float(np.mean(shares[name])))
        for name in detectors
        for kind in ("head", "plate")
    ]
    print_rows({"hidden, percent": rows}, chosen.json)


def frames_with_truth(
    dataset: Dataset, suite_name: str, every: int
) -> Iterator[tuple[FrameContext, list[Private]]]:
    """Both pictures of every n-th frame, and the heads and plates in each.

    Raises:
        FileError: a drive was made with other settings than its suite has.
    """
    for drive in dataset.drives:
        rig = drive.rig
        base = DriveSettings(width=rig.width, height=rig.height, frames=len(drive))
        clips = {f"{clip.seed}_{clip.scenario}": clip for clip in suite(suite_name, base)}
        if drive.name not in clips:
            raise FileError(f"{drive.path}: suite {suite_name} has no such drive; give its --suite")
        clip = clips[drive.name]
        synthetic = SyntheticDrive(clip.settings, clip.seed)
        stored = dataset.truth(drive.name) / f"{drive.stamps_ns[0]}_instance.png"
        if not np.array_equal(synthetic.truth(0).instance, read_picture(stored)):
            raise FileError(f"{drive.path}: made with other settings than suite {suite_name} has")
        things = PrivateThings(synthetic)
        for index in range(every // 2, len(drive), every):
            stereo = drive.frame(index)
            for side in SIDES:
                yield FrameContext(drive.name, side, stereo), things.of(index, side)


def judge(
    detector: RegionDetector, frame: FrameContext, things: list[Private]
) -> tuple[list[Finding], float]:
    """What became of each thing, and the share of the picture that is unreadable."""
    hidden = unreadable(frame.rig.shape, detector.regions(frame), BlurSettings())
    return [
        Finding(
            thing.kind,
            frame.side,
            thing.moves,
            int(thing.pixels.sum()),
            int((thing.pixels & hidden).sum()),
        )
        for thing in things
    ], float(hidden.mean())


def row(name: str, kind: str, findings: list[Finding], share: float) -> Row:
    """Percent of pixels and of things hidden, by side and by whether they move."""
    own = [item for item in findings if item.kind == kind]
    result: dict[str, str | float] = {"labels": name, "of": kind, "number": len(own)}
    groups = {
        "left": [f for f in own if f.side == "left"],
        "right": [f for f in own if f.side == "right"],
        "moving": [f for f in own if f.moves],
        "standing": [f for f in own if not f.moves],
        "all": own,
    }
    for title, group in groups.items():
        result[title] = percent(sum(is_hidden(f) for f in group), len(group))
    result["pixels of all"] = percent(sum(f.hidden_px for f in own), sum(f.visible_px for f in own))
    return result | {"of the picture": 100 * share}


def is_hidden(found: Finding) -> bool:
    """Whether too little is left to recognise."""
    return found.hidden_px >= HIDDEN_SHARE * found.visible_px


def percent(part: float, whole: float) -> float:
    """NaN of nothing."""
    return 100 * part / whole if whole else math.nan


def write_truth_labels(dataset: Dataset, drive: Drive, kind: str, folder: LabelFolder) -> None:
    """Labels whose masks are those of the truth: `moving` ones or every `instance`."""
    records = []
    for stamp in drive.stamps_ns:
        truth = dataset.truth(drive.name)
        instances = read_picture(truth / f"{stamp}_{kind}.png").astype(np.uint16)
        semantic = read_picture(truth / f"{stamp}_semantic.png")
        objects = [
            Segment(
                id=number,
                class_id=int(np.bincount(semantic[instances == number]).argmax()),
                class_name="",
                is_thing=True,
                score=1.0,
                area_px=area,
                box=box,
                track_id=number,
                centroid_m=np.full(3, np.nan),
                velocity_mps=np.full(3, np.nan),
            )
            for number, (area, box) in areas_and_boxes(instances).items()
        ]
        write_png(folder.instance(drive.name, stamp), instances, is_map=True)
        painted = np.where(instances > 0, semantic, 255).astype(np.uint8)
        write_png(folder.semantic(drive.name, stamp), painted, is_map=True)
        records.append(FrameRecord(stamp, LABELLED, "", 0.0, 1.0, 1.0, tuple(objects)))
    things = [*map(int, f"{PERSONS},{VEHICLES}".split(","))]
    write_json(folder.thing_stuff, {"things": things, "stuff": []})
    write_json(folder.recipe, {"masks": f"truth, {kind}"})
    clip = Clip(drive.name, 0, len(drive))
    result = ClipResult(clip, drive.fingerprint(), tuple(records), ClassStatistics.none(20))
    result.write(folder.clip(drive.name, 0))


if __name__ == "__main__":
    main()
