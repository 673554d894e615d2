"""What is known of one part of a drive when all its pairs have been worked on; it finishes it.

Extraction makes one for each part, from the journals of its passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from cups_core.frame_quality import FrameQuality
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_training.dataset.drive import SIDES
from cups_training.extraction.geometry import Geometry
from cups_training.extraction.part_folder import PICTURES, PartFolder
from cups_training.extraction.source import Drops
from cups_training.selection.pairs import MeasuredFrame, PairDecision, select
from cups_training.selection.settings import SelectionSettings
from cups_training.selection.timing import clip_numbers, usual_interval_ns

FEWEST_LOOKS = 3


class PartRecord:
    """A part of a drive whose pairs have all been worked on.

    Attributes:
        path: its folder.
    """

    def __init__(
        self, folder: PartFolder, measured_in: str, selection: SelectionSettings, geometry: Geometry
    ) -> None:
        """Take the journals of a part.

        Args:
            folder: of the part.
            measured_in: name of the journal that has a row for every pair.
            selection: which pairs are kept.
            geometry: of the pictures.
        """
        self.path = folder.path
        self._folder = folder
        self._measured = folder.journals[measured_in]
        self._written = folder.journals[PICTURES]
        self._selection = selection
        self._geometry = geometry

    @cached_property
    def frames(self) -> list[MeasuredFrame]:
        """All frames, whether their pictures are written or not."""
        return [
            MeasuredFrame(
                row["stamp_ns"],
                FrameQuality.from_row(row["quality"]) if "quality" in row else None,
            )
            for row in self._measured.values()
            if "lost" not in row
        ]

    @cached_property
    def decisions(self) -> list[PairDecision]:
        """On every pair of consecutive frames."""
        return select(self.frames, self._selection)

    @cached_property
    def drops(self) -> Drops:
        """Pairs that did not become frames."""
        drops = Drops()
        for row in self._measured.values():
            if "lost" in row:
                drops.add(row["lost"], example=row["example"])
        return drops

    def keyframes(self) -> frozenset[int]:
        """Stamps of the frames of all kept pairs."""
        return frozenset(
            stamp
            for decision in self.decisions
            if decision.kept
            for stamp in (decision.first_ns, decision.second_ns)
        )

    @property
    def has_pictures(self) -> bool:
        """Whether any frame was written."""
        return any("lost" not in row for row in self._written.values())

    def finish(self, common: Mapping[str, Any], lost_before: Drops) -> None:
        """Write all that is known and make the folder a drive.

        Args:
            common: what is said of all parts: the source's provenance, the rig's verdict, notes.
            lost_before: what was lost before it became a pair.

        Raises:
            FileError: a picture is missing or the disk is full.
        """
        drops = Drops()
        for lost in (lost_before, self.drops):
            drops.update(lost)
        pairs = (decision.row() for decision in self.decisions)
        self._folder.finish(self._rows, pairs, self._provenance(common, drops), self._hashes())

    def _rows(self) -> Iterator[dict[str, Any]]:
        for clip, row in self._clipped():
            quality = self._measured[row["stamp_ns"]].get("quality", {})
            names = {side: row[side] for side in SIDES}
            stamps = {name: row[name] for name in ("stamp_ns", "right_stamp_ns")}
            yield {**stamps, **names, "clip": clip, **quality}

    def _hashes(self) -> Iterator[tuple[str, str]]:
        for _, row in self._clipped():
            yield from ((row[side], row["sha256"][place]) for place, side in enumerate(SIDES))

    def _clipped(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each written frame with its clip: a new one after a gap or where one is left out."""
        stamps = [frame.stamp_ns for frame in self.frames]
        recorded = clip_numbers(stamps, self._selection.gap_periods)
        clip, before = 0, None
        for place, (stamp, number) in enumerate(zip(stamps, recorded, strict=True)):
            if stamp not in self._written or "lost" in (row := self._written[stamp]):
                continue
            if before is not None and (before[0] != place - 1 or before[1] != number):
                clip += 1
            before = place, number
            yield clip, row

    def _provenance(self, common: Mapping[str, Any], drops: Drops) -> dict[str, Any]:
        stamps = [frame.stamp_ns for frame in self.frames]
        clips = [clip for clip, _ in self._clipped()]
        period = usual_interval_ns(stamps)
        recorded = clip_numbers(stamps, self._selection.gap_periods)
        kinds = Counter(
            reason.partition(":")[0] for found in self.decisions for reason in found.reasons
        )
        faults = [
            (row["stamp_ns"], row["rig_fault"])
            for row in self._measured.values()
            if "rig_fault" in row
        ]
        wrong = [(stamp, fault) for stamp, fault in faults if fault]
        notes = [*common["source"]["notes"], *common["notes"]]
        # One pair says little: a few false matches are enough.
        if len(faults) >= FEWEST_LOOKS and 2 * len(wrong) > len(faults):
            notes.append(
                f"the rig looks wrong in {len(wrong)} of {len(faults)} looks at it, first at "
                f"{wrong[0][0]}: {wrong[0][1]}"
            )
        return {
            **common,
            "counts": {
                "pairs": len(self._measured),
                "frames": len(clips),
                "left_out": len(stamps) - len(clips),
                "clips": len(set(clips)),
                "kept_pairs": sum(decision.kept for decision in self.decisions),
                "rejected_pairs": dict(kinds),
            },
            "dropped": {
                reason: {"count": count, "first": drops.examples.get(reason, "")}
                for reason, count in drops.counts.items()
            },
            "time": {
                "first_ns": stamps[0] if stamps else None,
                "last_ns": stamps[-1] if stamps else None,
                "usual_interval_ns": period,
            },
            "gaps": [
                {
                    "after_ns": stamps[place - 1],
                    "seconds": _seconds(stamps[place - 1], stamps[place]),
                }
                for place in range(1, len(stamps))
                if recorded[place] != recorded[place - 1]
            ],
            "rig": {**common["rig"], "looks": len(faults), "wrong_looks": len(wrong)}
            if common["rig"]
            else None,
            "notes": notes,
            "pictures": {
                "width": self._geometry.rig.width,
                "height": self._geometry.rig.height,
                "passed_bit_for_bit": sum(row["passed"] for _, row in self._clipped()),
            },
        }


def _seconds(first_ns: int, second_ns: int) -> float:
    return (second_ns - first_ns) / NANOSECONDS_PER_SECOND
