"""The folder of one recipe's labels: where each file lies and which configuration it belongs to.

Every step of labelling asks it; a folder takes labels of one configuration only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_training.configuration import differences
from cups_training.whole_files import FileError, read_json, remove_drafts, write_json


@dataclass(frozen=True)
class LabelFolder:
    """`<dataset>/labels/<recipe>` and what lies in it."""

    root: Path

    @property
    def recipe(self) -> Path:
        """The configuration, verbatim."""
        return self.root / "recipe.json"

    @property
    def semantics(self) -> Path:
        """The model that was fitted on this dataset because none was given."""
        return self.root / "semantics.npz"

    def semantic(self, drive: str, stamp_ns: int) -> Path:
        """8-bit PNG: class of each pixel, 255 = unknown."""
        return self.root / "pairs" / drive / f"{stamp_ns}_semantic.png"

    def instance(self, drive: str, stamp_ns: int) -> Path:
        """16-bit PNG, however few the objects: 0 = none, 1 to M."""
        return self.root / "pairs" / drive / f"{stamp_ns}_instance.png"

    def clip(self, drive: str, first: int) -> Path:
        """What is known of a clip; written last, so it is there when the clip is complete."""
        return self.root / "clips" / drive / f"{first:06d}.json"

    def seam(self, drive: str, first: int) -> Path:
        """16-bit PNG: tracks of this clip in the last frame of the clip before."""
        return self.root / "clips" / drive / f"{first:06d}_seam.png"

    def panoptic(self, drive: str, stamp_ns: int) -> Path:
        """COCO panoptic PNG."""
        return self.root / "panoptic" / drive / f"{stamp_ns}.png"

    @property
    def panoptic_json(self) -> Path:
        """Images, annotations and categories."""
        return self.root / "panoptic.json"

    @property
    def thing_stuff(self) -> Path:
        """Which classes are things, and the counts that say so."""
        return self.root / "thing_stuff.json"

    @property
    def quality(self) -> Path:
        """One line per frame."""
        return self.root / "quality.jsonl"

    @property
    def contact_sheet(self) -> Path:
        """Some frames with their labels, JPEG."""
        return self.root / "contact_sheet.jpg"

    @property
    def report(self) -> Path:
        """All of it on one page, for people."""
        return self.root / "report.html"

    def claim(self, description: dict[str, Any]) -> None:
        """Make this the folder of one configuration, or see that it is.

        Raises:
            FileError: it holds labels of another configuration, or cannot be written.
        """
        if not self.recipe.exists():
            write_json(self.recipe, description)
        found = read_json(self.recipe)
        if differing := list(differences(found, description)):
            raise FileError(
                f"{self.root}: holds labels of another configuration ({'; '.join(differing[:4])})"
                "; give another --name, or remove the folder"
            )

    def remove_drafts(self) -> None:
        """Remove what killed processes of this machine left half written."""
        remove_drafts(self.root)
