"""What is known of an extracted drive: its frames and pairs, what was lost and why, its gaps.

Extraction writes it when a drive is finished; the closing table and the manifest read it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cups_training.dataset.layout import PROVENANCE
from cups_training.extraction.source import Drops
from cups_training.whole_files import read_json


@dataclass(frozen=True)
class DriveRecord:
    """One source in the dataset.

    Attributes:
        name: of the source.
        drives: folders that it became; none when nothing could be extracted.
        frames: on disk.
        kept_pairs: worth learning from.
        clips: runs of frames without a gap.
        drops: what was lost, by reason.
        notes: what else went wrong, sentences.
    """

    name: str
    drives: tuple[str, ...]
    frames: int
    kept_pairs: int
    clips: int
    drops: Drops
    notes: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything that was recorded became part of the dataset."""
        return not self.drops.counts and not self.notes


def read_record(path: Path) -> DriveRecord:
    """The record of a finished drive and the parts after it.

    Raises:
        FileError: a file is missing or broken.
    """
    first = read_json(path / PROVENANCE)
    parts = [first] + [read_json(path.parent / name / PROVENANCE) for name in first["parts"][1:]]
    drops = Drops()
    for part in parts:
        for reason, loss in part["dropped"].items():
            drops.add(reason, loss["count"], loss["first"])
    counts = [part["counts"] for part in parts]
    notes = [note for part in parts for note in part["notes"]]
    return DriveRecord(
        path.name,
        tuple(first["parts"]),
        sum(count["frames"] for count in counts),
        sum(count["kept_pairs"] for count in counts),
        sum(count["clips"] for count in counts),
        drops,
        tuple(dict.fromkeys(notes)),
    )
