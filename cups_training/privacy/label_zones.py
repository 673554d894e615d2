"""Zones where heads and plates can be, from pseudo-labels and stereo: for lack of a detector.

`cups export --privacy-zones` uses it. It hides more of the picture and fewer of the heads than a
detector: docs/privacy.md has the measured shares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.motion.ground_plane import fit_ground_plane
from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.panoptic import Segment
from cups_core.settings import setting
from cups_training.labelling.clip_result import FAILED, ClipResult
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.recipe import digest
from cups_training.privacy.regions import HEAD_ZONE, PICTURE, PLATE_ZONE, FrameContext, Region
from cups_training.privacy.upright_zones import Band, Geometry, zones
from cups_training.whole_files import read_json, read_picture

HEAD_M = 0.35
PLATE_M = 0.11
# A head may stick out beside what is known of a person, a plate beside what is known of a car.
HEAD_ASIDE_M = 0.25
PLATE_ASIDE_M = 0.4

NOTE = (
    "zones are weaker than a detector: with labels of the fast recipe they hid 98 % of the heads "
    "and 82 to 90 % of the plates of synthetic streets, and with them 31 % of the pictures; real "
    "streets were not measured"
)
"""For the manifest; benchmark/privacy.py measures it."""

THINGS, ALL, NONE = "things", "all", "none"
"""Words for classes: those that labelling calls things, every one, not one."""


@dataclass(frozen=True)
class ZoneSettings:
    """Which heights are made unreadable where a person or a vehicle may stand."""

    lowest_head_m: float = setting(1.2, "lower end of heads over the road, metres", minimum=0.0)
    highest_head_m: float = setting(2.0, "upper end of heads over the road, metres", minimum=0.5)
    lowest_plate_m: float = setting(0.2, "lower end of plates over the road, metres", minimum=0.0)
    highest_plate_m: float = setting(1.2, "upper end of plates over the road, metres", minimum=0.1)
    smallest_head_px: float = setting(
        8.0, "lower heads are skipped: no face is readable in them, pixels", minimum=0.0
    )
    smallest_plate_px: float = setting(
        4.0, "lower plates are skipped: no text is readable on them, pixels", minimum=0.0
    )

    def __post_init__(self) -> None:
        for name in ("head", "plate"):
            low, high = getattr(self, f"lowest_{name}_m"), getattr(self, f"highest_{name}_m")
            if low >= high:
                raise InputError(f"highest_{name}_m: expected more than {low} m, found {high} m")


class LabelZones:
    """The band of heads over whatever may be a person, that of plates over what may be a vehicle.

    A mask of the labels counts whatever its class; besides, the pixels of some classes do. A frame
    without a label, or in which no road is found, is one region: nobody knows what is in it.

    Args:
        root: folder of one recipe's labels.
        persons: pseudo-classes that may hold people: "7,12", "things", "all" or "none".
        vehicles: the same for vehicles.
        settings: which heights.

    Raises:
        FileError: the folder holds no labels.
        InputError: no such classes.
    """

    def __init__(
        self,
        root: Path,
        persons: str = THINGS,
        vehicles: str = THINGS,
        settings: ZoneSettings = ZoneSettings(),
    ) -> None:
        self._folder = LabelFolder(root)
        self._words = (persons, vehicles)
        self._settings = settings
        split = read_json(self._folder.thing_stuff)
        self._classes = {
            HEAD_ZONE: chosen_classes(persons, split, "--persons"),
            PLATE_ZONE: chosen_classes(vehicles, split, "--vehicles"),
        }
        s = settings
        self._bands = (
            Band(
                s.lowest_head_m,
                s.highest_head_m,
                HEAD_M,
                HEAD_ASIDE_M,
                s.smallest_head_px,
                HEAD_ZONE,
            ),
            Band(
                s.lowest_plate_m,
                s.highest_plate_m,
                PLATE_M,
                PLATE_ASIDE_M,
                s.smallest_plate_px,
                PLATE_ZONE,
            ),
        )

    def __reduce__(self) -> tuple[type[LabelZones], tuple[Any, ...]]:
        return LabelZones, (self._folder.root, *self._words, self._settings)

    def regions(self, frame: FrameContext) -> list[Region]:
        """See `RegionDetector.regions`."""
        objects = _objects(self._folder, frame.drive).get(frame.stamp_ns)
        geometry = _geometry(frame.stereo)
        if objects is None or geometry is None:
            height, width = frame.rig.shape
            return [Region(0, 0, width, height, PICTURE, 1.0)]
        semantic = read_picture(self._folder.semantic(frame.drive, frame.stamp_ns))
        instances = read_picture(self._folder.instance(frame.drive, frame.stamp_ns))
        found: list[Region] = []
        for band in self._bands:
            body = self._body(band.kind, semantic, instances, objects)
            found += zones(body, geometry, band, frame.side)
        return found

    def provenance(self) -> dict[str, Any]:
        """See `RegionDetector.provenance`."""
        persons, vehicles = self._words
        return {
            "kind": "zones of pseudo-labels",
            "note": NOTE,
            "labels": self._folder.root.name,
            "labels_digest": digest(read_json(self._folder.recipe)),
            "persons": persons,
            "vehicles": vehicles,
            "settings": dataclasses.asdict(self._settings),
        }

    def _body(
        self,
        kind: str,
        semantic: NDArray[np.uint8],
        instances: NDArray[np.uint16],
        objects: tuple[Segment, ...],
    ) -> NDArray[np.bool_]:
        """Pixels that may belong to a person, or to a vehicle."""
        classes = self._classes[kind]
        word = self._words[kind == PLATE_ZONE]
        taken = np.zeros(int(instances.max(initial=0)) + 1, np.bool_)
        for item in objects:
            # Things are what moves: then a mask whose class is no thing is one nevertheless.
            taken[item.id] = word == THINGS or item.class_id in classes
        of_class = np.zeros(256, np.bool_)
        of_class[list(classes)] = True
        return of_class[semantic] | taken[instances]


def chosen_classes(word: str, split: Mapping[str, Any], argument: str) -> frozenset[int]:
    """The pseudo-classes that a word stands for.

    Args:
        word: numbers with commas, or `THINGS`, `ALL`, `NONE`.
        split: content of thing_stuff.json.
        argument: named in the error.

    Raises:
        InputError: a class that the labels do not have.
    """
    known = frozenset(split["things"]) | frozenset(split["stuff"])
    if word == THINGS and not split["things"]:
        raise InputError(
            f"{argument}: the labels call no class a thing, so nothing says what may hide "
            f"a face or a plate; name classes such as 7,12, or say {ALL} (or {NONE})"
        )
    if word in (THINGS, ALL, NONE):
        return {THINGS: frozenset(split["things"]), ALL: known, NONE: frozenset[int]()}[word]
    try:
        classes = frozenset(int(number) for number in word.split(","))
    except ValueError:
        raise InputError(
            f"{argument}: expected classes such as 7,12, or {THINGS}, {ALL} or {NONE}, "
            f"found {word!r}"
        ) from None
    if unknown := classes - known:
        raise InputError(
            f"{argument}: the labels have no classes {sorted(unknown)}, theirs are "
            f"{min(known)} to {max(known)}; report.html shows what they look like"
        )
    return classes


@lru_cache(2)
def _objects(folder: LabelFolder, drive: str) -> Mapping[int, tuple[Segment, ...]]:
    """Objects of each labelled frame of a drive by stamp."""
    paths = sorted((folder.root / "clips" / drive).glob("*.json"))
    return {
        record.stamp_ns: record.objects
        for path in paths
        for record in ClipResult.read(path).frames
        if record.status != FAILED
    }


@lru_cache(1)
def _geometry(stereo: StereoFrame) -> Geometry | None:
    """Disparity and road; None where no road is found. Both sides of a frame ask for it."""
    disparity, _ = SemiGlobalMatching().disparities(stereo.left, stereo.right)
    height, width = disparity.shape
    columns, rows = (np.arange(size, dtype=np.float32) for size in (width, height))
    ground = fit_ground_plane(disparity, columns, rows, stereo.rig)
    return None if ground is None else Geometry(disparity, ground, stereo.rig)
