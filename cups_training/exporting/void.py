"""Void: what each format writes where the labels say nothing, and the one function that writes it.

Every format that writes maps of labels paints them here; docs/formats.md has the same table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cups_core.panoptic import PanopticMap
from cups_training.whole_files import FileError

COCO_PANOPTIC = 0
"""Id of no segment."""
CITYSCAPES = 0
"""`unlabeled` in labelIds, instanceIds and the panoptic maps."""
SEMANTIC = 255
"""Of 8-bit class maps, and of the class in KITTI-STEP; ids beside it are 0."""
MOTS = 10_000
"""Class 10: the region that judges leave out."""
NO_INSTANCE = 0
"""In the instance maps of the published trainer; its semantic maps have `SEMANTIC`."""
DISPARITY = 0
"""KITTI: not measured."""


def paint(label: PanopticMap, values: Iterable[int], void: int, kind: DTypeLike) -> NDArray[Any]:
    """A map with the value of each segment, and `void` where the label says nothing.

    Args:
        label: of one frame.
        values: one for each segment of its table.
        void: one of the values of this file.
        kind: unsigned type of the map.

    Raises:
        FileError: a value does not fit into `kind`.
    """
    table = np.full(int(label.segments.max(initial=0)) + 1, void, np.int64)
    for segment, value in zip(label.table, values, strict=True):
        table[segment.id] = value
    if table.min() < 0 or table.max() > np.iinfo(kind).max:
        raise FileError(
            f"value {table.max()} does not fit into {np.dtype(kind)}: the labels have more classes "
            "or tracks than this format has room for; export another format, such as coco-panoptic"
        )
    return table.astype(kind)[label.segments]
