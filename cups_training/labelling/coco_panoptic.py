"""COCO panoptic files: colored segment maps, and one JSON with images, annotations, categories.

Finishing writes labels with it. A segment's id is its color, so the maps can be looked at: stuff
has the color of its class, things that of their track.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import color_of
from cups_core.panoptic import PanopticMap, Segment
from cups_core.thing_stuff import ThingStuff

# Classes take their colors from here on, so that the first ones do not look like the first tracks.
FIRST_CLASS_COLOR = 1000

Color = tuple[int, int, int]


def class_names(split: ThingStuff) -> dict[int, str]:
    """Pseudo-classes have numbers, not names: thing_5, stuff_0."""
    names = {k: f"thing_{k}" for k in split.things}
    names.update({k: f"stuff_{k}" for k in split.stuff})
    return names


def class_color(class_id: int) -> Color:
    """The color of a class wherever labels are shown."""
    return color_of(FIRST_CLASS_COLOR + class_id)


def categories(split: ThingStuff) -> list[dict[str, Any]]:
    """The categories of panoptic.json, ascending; `id` is the pseudo-class."""
    return [
        {
            "id": k,
            "name": name,
            "supercategory": "thing" if k in split.things else "stuff",
            "isthing": int(k in split.things),
            "color": list(class_color(k)),
        }
        for k, name in sorted(class_names(split).items())
    ]


def label_color(segment: Segment) -> Color:
    """The color of a segment of a label: of its track, or of its class where it is stuff."""
    return color_of(segment.track_id) if segment.is_thing else class_color(segment.class_id)


def encode(
    label: PanopticMap, color: Callable[[Segment], Color] = label_color
) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    """The colored map and the `segments_info` of one image.

    Args:
        label: the map.
        color: wished for a segment; it gets the next free one when another segment has it.

    Returns:
        uint8 (H, W, 3), RGB, id = R + 256 G + 65536 B, 0 = void; and one entry for each segment
        with `id`, `category_id`, `area`, `bbox` (left, top, width, height), `iscrowd` and, for
        things, `track_id` and `score`.
    """
    largest = int(label.segments.max(initial=0))
    numbers = np.zeros(largest + 1, "<u4")  # R, G and B are the bytes, lowest first
    taken: set[int] = set()
    entries = []
    for segment in label.table:
        number = _free_number(color(segment), taken)
        taken.add(number)
        numbers[segment.id] = number
        entries.append(_entry(number, segment))
    pixels = numbers[label.segments].view(np.uint8).reshape(*label.segments.shape, 4)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)), entries


def image_entry(number: int, drive: str, stamp_ns: int, width: int, height: int) -> dict[str, Any]:
    """The entry of an image; `file_name` counts from the folder of the dataset."""
    return {
        "id": number,
        "file_name": f"drives/{drive}/left/{stamp_ns}.png",
        "width": width,
        "height": height,
        "drive": drive,
        "stamp_ns": stamp_ns,
    }


def annotation_entry(
    number: int, drive: str, stamp_ns: int, segments: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The entry of a segment map; `file_name` counts from the folder `panoptic`."""
    return {
        "image_id": number,
        "file_name": f"{drive}/{stamp_ns}.png",
        "segments_info": list(segments),
    }


def _free_number(color: Color, taken: set[int]) -> int:
    """The id of this color, or the next one that no other segment of the image has."""
    red, green, blue = color
    number = red + 256 * green + 65536 * blue
    while number in taken or number == 0:
        number = (number + 1) % 256**3
    return number


def _entry(number: int, segment: Segment) -> dict[str, Any]:
    entry = {
        "id": number,
        "category_id": segment.class_id,
        "area": segment.area_px,
        "bbox": list(segment.box),
        "iscrowd": 0,
    }
    if segment.is_thing:
        entry |= {"track_id": segment.track_id, "score": segment.score}
    return entry
