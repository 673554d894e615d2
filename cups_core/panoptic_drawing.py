"""A panoptic map over its image: classes as colors, segments outlined, things named.

`cups predict` and the vehicle's panoptic node show it.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import FILL, WHITE, Color, write_name
from cups_core.errors import InputError
from cups_core.panoptic import PanopticMap, Segment

Image = NDArray[np.uint8]
LEAST_NAMED_SHARE = 1 / 2000


def overlay_panoptic(image: Image, found: PanopticMap, colors: Mapping[int, Color]) -> Image:
    """The image under the colors of its classes; void stays as it is, borders are white.

    Args:
        image: uint8 (H, W, 3), RGB; stays as it is.
        found: its map.
        colors: red, green, blue by class id.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        InputError: image and map differ in size.
    """
    height, width = found.segments.shape
    if image.shape != (height, width, 3):
        raise InputError(
            f"overlay: expected an image of {(height, width, 3)} as the map says, found "
            f"{image.shape}"
        )
    palette = np.zeros((len(found.table) + 1, 3), np.uint8)
    number_of = np.zeros(int(found.segments.max(initial=0)) + 1, np.intp)
    for number, item in enumerate(found.table, start=1):
        palette[number] = colors[item.class_id]
        number_of[item.id] = number
    numbers = number_of[found.segments]
    tinted = cv2.addWeighted(image, 1 - FILL, palette[numbers], FILL, 0)
    is_void = numbers == 0
    picture: Image = np.where(is_void[..., None], image, tinted)
    picture[_is_border(found.segments)] = WHITE
    unit = max(1.0, height / 480)
    named = [item for item in found.table if item.is_thing]
    # The largest thing's name on top; the smallest ones would only be covered by theirs.
    for item in sorted(named, key=lambda thing: thing.area_px):
        if item.area_px >= LEAST_NAMED_SHARE * height * width:
            write_name(picture, _words(item), colors[item.class_id], item.box[:2], unit)
    return picture


def _is_border(segments: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour belongs to another segment."""
    found = np.zeros(segments.shape, np.bool_)
    found[:, :-1] = segments[:, :-1] != segments[:, 1:]
    found[:-1] |= segments[:-1] != segments[1:]
    return found


def _words(item: Segment) -> str:
    return f"{item.class_name or item.class_id}  {item.score:.2f}"
