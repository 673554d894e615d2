"""The folder of a dataset: its drives, its labels by recipe, its truth where there is one.

Every offline tool is given such a folder.
"""

from __future__ import annotations

from pathlib import Path

from cups_training.dataset.drive import Drive
from cups_training.whole_files import FileError


class Dataset:
    """`<root>/drives/<drive>`, `<root>/labels/<recipe>`, `<root>/truth/<drive>`.

    Raises:
        FileError: the folder holds no finished drive.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found = sorted((root / "drives").glob("*/frames.jsonl"))
        if not found:
            raise FileError(
                f"{root}: expected a dataset with drives/<name>/frames.jsonl, found none; "
                "extract one from a bag, or make a synthetic one: "
                f"python -m cups_training.synthetic --suite val --dataset {root}"
            )
        self.drives = tuple(Drive(path.parent) for path in found)

    def labels(self, recipe: str) -> Path:
        """Folder of the labels that a recipe made."""
        return self.root / "labels" / recipe

    def truth(self, drive: str) -> Path:
        """Folder of a synthetic drive's truth."""
        return self.root / "truth" / drive
