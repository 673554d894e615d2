"""Names and colors that a person gives to pseudo-classes, in a YAML file of their own.

The predictor lays them over the sidecar's classes and names every segment with the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cups_core.errors import ModelError
from cups_core.panoptic import VOID_SEGMENT, PanopticMap
from cups_core.runtime.sidecar import ModelClass

FIELDS = ("name", "color", "is_ignored")
EXAMPLE = "5: {name: car, color: [0, 0, 142]} or 7: {is_ignored: true}"


def read_class_names(path: Path, classes: Sequence[ModelClass]) -> tuple[ModelClass, ...]:
    """The classes with what a file says of them; the others stay as they are.

    The file maps ids to any of `name`, `color` and `is_ignored` under the key `classes`. What a
    class is, thing or stuff, is the network's affair and cannot be changed.

    Args:
        path: the YAML file.
        classes: those of the sidecar.

    Raises:
        ModelError: the file is missing or no YAML, or names a class that the model has not.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ModelError(
            f"{path}: expected class names, it cannot be read ({problem.strerror})"
        ) from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ModelError(f"{path}: expected YAML, {problem}") from problem
    given = content.get("classes") if isinstance(content, Mapping) else None
    if not isinstance(given, Mapping):
        raise ModelError(f"{path}: expected a key `classes` with lines such as {EXAMPLE}")
    known = {item.id: item for item in classes}
    for number, said in given.items():
        if number not in known:
            raise ModelError(
                f"{path}: class {number!r} is unknown, the model has "
                f"{', '.join(map(str, sorted(known)))}: this file belongs to another model"
            )
        known[number] = _renamed(path, known[number], said)
    return tuple(known[item.id] for item in classes)


def _renamed(path: Path, known: ModelClass, said: object) -> ModelClass:
    if not isinstance(said, Mapping) or not set(said) <= set(FIELDS):
        raise ModelError(
            f"{path}, class {known.id}: expected any of {', '.join(FIELDS)}, such as {EXAMPLE}, "
            f"found {said!r}"
        )
    checked: dict[str, Any] = dict(said)
    for field, expected in (("name", str), ("is_ignored", bool), ("color", list)):
        if field in checked and not isinstance(checked[field], expected):
            raise ModelError(
                f"{path}, class {known.id}, {field}: expected {expected.__name__}, found "
                f"{checked[field]!r}"
            )
    if "color" in checked:
        color = checked["color"]
        if not all(type(value) is int for value in color):
            raise ModelError(
                f"{path}, class {known.id}, color: expected whole numbers, found {color!r}"
            )
        checked["color"] = tuple(color)
    try:
        return replace(known, **checked)
    except ModelError as problem:
        raise ModelError(f"{path}: {problem}") from problem


def with_classes(found: PanopticMap, classes: Sequence[ModelClass]) -> PanopticMap:
    """A map whose class ids are places in a list, with the ids and names of that list.

    Segments of ignored classes become void, and the ids of the others close up.
    """
    kept = [item for item in found.table if not classes[item.class_id].is_ignored]
    number_of = np.full(len(found.table) + 1, VOID_SEGMENT, np.uint16)
    for number, item in enumerate(kept, start=1):
        number_of[item.id] = number
    # Ids are 1 to N in the order of the table: nothing ignored, nothing to paint.
    segments = found.segments if len(kept) == len(found.table) else number_of[found.segments]
    table = tuple(
        replace(
            item,
            id=number,
            class_id=classes[item.class_id].id,
            class_name=classes[item.class_id].name,
        )
        for number, item in enumerate(kept, start=1)
    )
    return PanopticMap(segments, table)
