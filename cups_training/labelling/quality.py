"""Quality of each frame's label: one line of quality.jsonl, so that the worst can be left out.

Finishing writes it; the gate, the report and training read it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cups_training.labelling.clip_result import EMPTY, LABELLED, FrameRecord, number


@dataclass(frozen=True)
class FrameQuality:
    """One frame.

    Attributes:
        drive: its name.
        stamp_ns: of the frame.
        status: labelled, empty or failed.
        masks: objects of thing classes in the label.
        dropped_masks: objects whose class is stuff.
        coverage: share of the image inside masks.
        ignored: share of the image about which the label says nothing; NaN without a label.
        consistency: agreement of past and future on the masks, NaN where there is none.
        valid_fraction: share of the image where flow and disparity are confirmed, NaN if failed.
        reason: why it is empty or failed.
    """

    drive: str
    stamp_ns: int
    status: str
    masks: int
    dropped_masks: int
    coverage: float
    ignored: float
    consistency: float
    valid_fraction: float
    reason: str

    @property
    def cause(self) -> str:
        """The reason without its details."""
        words = self.reason.partition(":")[0]
        # "black left image" and "black right image" are one cause.
        return words.partition(" ")[0] if words.endswith(" image") else words

    def to_json(self) -> dict[str, Any]:
        """As quality.jsonl holds it, null for NaN."""
        return {
            "drive": self.drive,
            "stamp_ns": self.stamp_ns,
            "status": self.status,
            "masks": self.masks,
            "dropped_masks": self.dropped_masks,
            "coverage": number(self.coverage),
            "ignored": number(self.ignored),
            "consistency": number(self.consistency),
            "valid_fraction": number(self.valid_fraction),
            "reason": self.reason,
        }


def frame_quality(
    drive: str, record: FrameRecord, things: tuple[int, ...], ignored: float
) -> FrameQuality:
    """The quality of a frame once things are known; a label may lose all its masks to stuff."""
    kept = sum(item.class_id in things for item in record.objects)
    status, reason = record.status, record.reason
    if status == LABELLED and not kept:
        status, reason = EMPTY, "no thing: every mask has a stuff class"
    return FrameQuality(
        drive,
        record.stamp_ns,
        status,
        kept,
        len(record.objects) - kept,
        record.coverage,
        ignored,
        record.consistency if record.objects else math.nan,
        record.valid_fraction,
        reason,
    )
