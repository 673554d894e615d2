"""Zones where heads and plates are likely, from the pseudo-labels: for those without a detector.

`cups export --privacy-zones` uses it. Labels hold only part of the people: docs/privacy.md has the
measured share.
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

from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.panoptic import Segment
from cups_core.rig import StereoRig
from cups_core.settings import setting
from cups_training.labelling.clip_result import FAILED, ClipResult
from cups_training.labelling.label_folder import LabelFolder
from cups_training.privacy.regions import HEAD_ZONE, PICTURE, PLATE_ZONE, FrameContext, Region
from cups_training.whole_files import FileError, read_picture

HEAD_M = 0.35
PLATE_M = 0.11
HIGHEST_PLATE_M = 1.2


@dataclass(frozen=True)
class ZoneSettings:
    """Which zones of labels are made unreadable."""

    smallest_head_px: float = setting(
        8.0, "lower heads are skipped: no face is readable in them, pixels", minimum=0.0
    )
    smallest_plate_px: float = setting(
        4.0, "lower plates are skipped: no text is readable on them, pixels", minimum=0.0
    )


class LabelZones:
    """Upper part of person-like masks, lower part of vehicle-like ones.

    A frame without a label is one region: nobody knows what is in it.

    Args:
        root: folder of one recipe's labels.
        persons: pseudo-classes that hold people.
        vehicles: pseudo-classes that hold vehicles; with neither, every mask may be both.
        settings: which zones.

    Raises:
        FileError: the folder holds no labels.
    """

    def __init__(
        self,
        root: Path,
        persons: tuple[int, ...] = (),
        vehicles: tuple[int, ...] = (),
        settings: ZoneSettings = ZoneSettings(),
    ) -> None:
        self._folder = LabelFolder(root)
        self._persons, self._vehicles, self._settings = persons, vehicles, settings
        if not (root / "clips").is_dir():
            raise FileError(
                f"{root}: expected the labels of a recipe, found no clips/; run "
                f"cups label DATASET first"
            )

    def __reduce__(self) -> Any:
        return LabelZones, (self._folder.root, self._persons, self._vehicles, self._settings)

    def regions(self, frame: FrameContext) -> list[Region]:
        """See `RegionDetector.regions`."""
        objects = _objects(self._folder, frame.drive).get(frame.stamp_ns)
        if objects is None:
            height, width = frame.rig.shape
            return [Region(0, 0, width, height, PICTURE, 1.0)]
        if not objects:
            return []
        instances = read_picture(self._folder.instance(frame.drive, frame.stamp_ns))
        disparity = _disparity(frame.stereo)
        found = []
        for item in objects:
            measured = disparity[(instances == item.id) & (disparity > 0)]
            if measured.size:
                at = float(np.median(measured))
                shift = at if frame.side == "right" else 0.0
                found += self._zones(item, at, shift, frame.rig)
        return found

    def provenance(self) -> dict[str, Any]:
        """See `RegionDetector.provenance`."""
        return {
            "kind": "zones of pseudo-labels",
            "labels": self._folder.root.name,
            "persons": list(self._persons) or "all",
            "vehicles": list(self._vehicles) or "all",
            "settings": dataclasses.asdict(self._settings),
        }

    def _zones(self, item: Segment, disparity: float, shift: float, rig: StereoRig) -> list[Region]:
        left, top, width, height = item.box
        pixels_per_m = disparity / rig.baseline_m * rig.fy / rig.fx
        everything = not (self._persons or self._vehicles)
        zones = []
        head = HEAD_M * pixels_per_m
        if (everything or item.class_id in self._persons) and (
            head >= self._settings.smallest_head_px
        ):
            zones.append(Region(left - shift, top, width, head, HEAD_ZONE, item.score))
        if (everything or item.class_id in self._vehicles) and (
            PLATE_M * pixels_per_m >= self._settings.smallest_plate_px
        ):
            band = min(HIGHEST_PLATE_M * pixels_per_m, height)
            bottom = top + height
            zones.append(Region(left - shift, bottom - band, width, band, PLATE_ZONE, item.score))
        return zones


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
def _disparity(stereo: Any) -> NDArray[np.float32]:
    return SemiGlobalMatching().disparities(stereo.left, stereo.right)[0]
