"""What labelling knows of the frames of a clip: quality, objects and counts, as one JSON file.

Labelling writes it last of all files of a clip; finishing reads those of all clips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.panoptic import Segment
from cups_core.thing_stuff import ClassStatistics
from cups_training.labelling.clips import Clip
from cups_training.whole_files import FileError, read_json, write_json

LABELLED, EMPTY, FAILED = "labelled", "empty", "failed"
DECIMALS = 4


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame.

    Attributes:
        stamp_ns: of the frame.
        status: `LABELLED`, `EMPTY` (a label without a mask) or `FAILED` (no label).
        reason: why it is empty or failed; empty where it is labelled.
        coverage: share of the image inside masks.
        consistency: agreement of past and future on the masks, NaN where there is none.
        valid_fraction: share of the image where flow and disparity are confirmed, NaN if failed.
        objects: of the instance map, ascending; `track_id` counts within the clip.
    """

    stamp_ns: int
    status: str
    reason: str
    coverage: float
    consistency: float
    valid_fraction: float
    objects: tuple[Segment, ...]

    @staticmethod
    def failed(stamp_ns: int, reason: str) -> FrameRecord:
        """A frame without a label."""
        return FrameRecord(stamp_ns, FAILED, reason, 0.0, math.nan, math.nan, ())


@dataclass(frozen=True, eq=False)
class ClipResult:
    """One clip.

    Attributes:
        clip: which frames.
        fingerprint: of the drive that was labelled.
        frames: one record for each frame of the clip.
        statistics: counts over its labelled frames.
    """

    clip: Clip
    fingerprint: str
    frames: tuple[FrameRecord, ...]
    statistics: ClassStatistics

    def write(self, path: Path) -> None:
        """Write it; from now on the clip is complete."""
        content = {
            "drive": self.clip.drive,
            "first": self.clip.first,
            "stop": self.clip.stop,
            "fingerprint": self.fingerprint,
            "frames": [_frame_to_json(frame) for frame in self.frames],
            "statistics": self.statistics.to_json(),
        }
        write_json(path, content)

    @staticmethod
    def read(path: Path) -> ClipResult:
        """The result that was written to `path`.

        Raises:
            FileError: the file is missing or holds something else.
        """
        found = read_json(path)
        try:
            return ClipResult(
                Clip(found["drive"], found["first"], found["stop"]),
                found["fingerprint"],
                tuple(_frame_from_json(frame) for frame in found["frames"]),
                ClassStatistics.from_json(found["statistics"]),
            )
        except (KeyError, TypeError, InputError) as problem:
            raise FileError(
                f"{path}: expected the result of a clip, {problem!r}; remove it and label again"
            ) from problem


def _frame_to_json(frame: FrameRecord) -> dict[str, Any]:
    return {
        "stamp_ns": frame.stamp_ns,
        "status": frame.status,
        "reason": frame.reason,
        "coverage": number(frame.coverage),
        "consistency": number(frame.consistency),
        "valid_fraction": number(frame.valid_fraction),
        "objects": [_object_to_json(item) for item in frame.objects],
    }


def _frame_from_json(found: Mapping[str, Any]) -> FrameRecord:
    return FrameRecord(
        found["stamp_ns"],
        found["status"],
        found["reason"],
        found["coverage"],
        _float(found["consistency"]),
        _float(found["valid_fraction"]),
        tuple(_object_from_json(item) for item in found["objects"]),
    )


def _object_to_json(item: Segment) -> dict[str, Any]:
    return {
        "id": item.id,
        "track_id": item.track_id,
        "class_id": item.class_id,
        "score": number(item.score),
        "area_px": item.area_px,
        "box": list(item.box),
        "centroid_m": [number(value) for value in item.centroid_m],
        "velocity_mps": [number(value) for value in item.velocity_mps],
    }


def _object_from_json(found: Mapping[str, Any]) -> Segment:
    left, top, width, height = found["box"]
    return Segment(
        id=found["id"],
        class_id=found["class_id"],
        class_name="",
        is_thing=False,
        score=found["score"],
        area_px=found["area_px"],
        box=(left, top, width, height),
        track_id=found["track_id"],
        centroid_m=_vector(found["centroid_m"]),
        velocity_mps=_vector(found["velocity_mps"]),
    )


def number(value: float) -> float | None:
    """A measurement as JSON holds it: a few decimals, null for NaN."""
    return round(float(value), DECIMALS) if math.isfinite(value) else None


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _vector(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([_float(value) for value in values], np.float64)
