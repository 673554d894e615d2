"""The classes of a recipe's labels as every format needs them: number, name, thing or stuff, color.

Read from the categories of panoptic.json; written beside labels whose format has no place for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cups_training.whole_files import FileError


@dataclass(frozen=True)
class LabelClass:
    """One class.

    Attributes:
        id: the pseudo-class.
        name: for people.
        is_thing: countable object or stuff.
        color: red, green, blue.
    """

    id: int
    name: str
    is_thing: bool
    color: tuple[int, int, int]

    def category(self) -> dict[str, Any]:
        """The entry of COCO's categories."""
        return {
            "id": self.id,
            "name": self.name,
            "supercategory": "thing" if self.is_thing else "stuff",
            "isthing": int(self.is_thing),
            "color": list(self.color),
        }


@dataclass(frozen=True)
class ClassTable:
    """All classes, ascending; empty where no labels are exported."""

    classes: tuple[LabelClass, ...] = ()

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[LabelClass]:
        return iter(self.classes)

    def __getitem__(self, class_id: int) -> LabelClass:
        for known in self.classes:
            if known.id == class_id:
                return known
        raise FileError(f"the labels have a segment of class {class_id}, which is no category")

    @property
    def things(self) -> tuple[LabelClass, ...]:
        """Classes of objects."""
        return tuple(known for known in self.classes if known.is_thing)

    @property
    def stuff(self) -> tuple[LabelClass, ...]:
        """All others."""
        return tuple(known for known in self.classes if not known.is_thing)

    @staticmethod
    def from_categories(categories: Iterable[Mapping[str, Any]]) -> ClassTable:
        """The classes of a COCO panoptic file.

        Raises:
            FileError: a category lacks an entry.
        """
        try:
            found = [
                LabelClass(
                    int(one["id"]),
                    str(one["name"]),
                    bool(one["isthing"]),
                    (int(one["color"][0]), int(one["color"][1]), int(one["color"][2])),
                )
                for one in categories
            ]
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise FileError(
                f"categories: expected id, name, isthing and color of each, {problem!r}"
            ) from problem
        return ClassTable(tuple(sorted(found, key=lambda one: one.id)))
