"""Groups the pixels of things around the centres that a one-stage network found: a panoptic map.

The predictor calls it for every backend, so it needs no PyTorch. The rule is that of Cheng et al.,
"Panoptic-DeepLab" (CVPR 2020). Places are continuous: the first pixel reaches from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.nearest_centres import NOBODY, CellAxis, assign, pointed
from cups_core.panoptic import PanopticMap, Segment
from cups_core.panoptic_combination import UNMEASURED_M
from cups_core.settings import setting

# Pixels of the network's input per side of one of its cells.
STRIDE = 4


@dataclass(frozen=True)
class GroupingSettings:
    """What becomes a segment."""

    least_centre_score: float = setting(
        0.1, "centres below it are left out", minimum=0.0, maximum=1.0
    )
    least_centre_distance: float = setting(
        8.0,
        "a centre nearer than this to a better one is left out, pixels of the network's input",
        minimum=0.0,
    )
    farthest_vote: float = setting(
        0.125,
        "what points farther than this from every centre stays void, share of the longer side "
        "of the image",
        minimum=0.0,
        maximum=2.0,
    )
    least_thing_share: float = setting(
        1 / 32768,
        "a thing that covers less than this share of the image stays void",
        minimum=0.0,
        maximum=1.0,
    )
    least_stuff_share: float = setting(
        1 / 512,
        "stuff that covers less than this share of the image stays void",
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(frozen=True, eq=False)
class CentreVotes:
    """What a one-stage network says of one image, in pixels of its input.

    Attributes:
        semantic: float32 (C, h, w), logits of the classes, one for `STRIDE` pixels.
        centres: float32 (K, 3), x, y and score from 0 to 1; rows with score 0 are unused.
        offsets: float32 (2, h, w), x and y from a cell's middle to the centre of its thing.

    Raises:
        InputError: the arrays do not belong together.
    """

    semantic: NDArray[np.float32]
    centres: NDArray[np.float32]
    offsets: NDArray[np.float32]

    def __post_init__(self) -> None:
        if (
            self.semantic.ndim != 3
            or self.centres.shape != (len(self.centres), 3)
            or self.offsets.shape != (2, *self.semantic.shape[1:])
        ):
            raise InputError(
                "votes: expected semantic (C, h, w), centres (K, 3) and offsets (2, h, w), found "
                f"{self.semantic.shape}, {self.centres.shape} and {self.offsets.shape}"
            )


def group(
    votes: CentreVotes,
    labels: NDArray[np.uint8],
    is_thing: Sequence[bool],
    enlargement: tuple[float, float],
    settings: GroupingSettings,
) -> PanopticMap:
    """The panoptic map of an image.

    A cell goes to the centre nearest to where it points. A pixel of a thing class goes to one of
    the centres of the cells around it, the one nearest to where it points, which is interpolated.
    The pixels of a centre take their most frequent class.

    Args:
        votes: the network's outputs.
        labels: uint8 (H, W), the best class of each pixel of the image.
        is_thing: of each class.
        enlargement: pixels of the image for one of the network's input, along x and y; the image
            begins at the input's first pixel.
        settings: limits.

    Returns:
        Things by score, then stuff by class; class ids are channels, names are empty. The score of
        a thing is its centre's times the mean probability of its class, that of stuff is 1.

    Raises:
        InputError: labels or `is_thing` do not fit the votes.
    """
    classes = len(votes.semantic)
    if labels.ndim != 2 or not labels.size or labels.max() >= classes or len(is_thing) != classes:
        raise InputError(
            f"labels: expected (H, W) of 0 to {classes - 1} and {classes} times thing or stuff, "
            f"found {labels.shape}"
            + (f" up to {labels.max()}" if labels.size else "")
            + f" and {len(is_thing)}"
        )
    height, width = labels.shape
    things = np.asarray(is_thing, np.bool_)
    centres = _chosen(votes.centres, width / enlargement[0], height / enlargement[1], settings)
    rows = CellAxis.of(height, STRIDE * enlargement[1], votes.offsets.shape[1])
    columns = CellAxis.of(width, STRIDE * enlargement[0], votes.offsets.shape[2])
    farthest = settings.farthest_vote * max(width / enlargement[0], height / enlargement[1])
    owners, counts = assign(
        pointed(votes.offsets, STRIDE), centres, farthest, labels, things, rows, columns
    )
    areas = counts[:-1].sum(axis=1)
    winners = counts[:-1].argmax(axis=1)
    scores = centres[:, 2] * _mean_probabilities(
        votes.semantic, centres, winners, owners, rows.middles, columns.middles
    )
    kept = np.flatnonzero(areas >= max(settings.least_thing_share * labels.size, 1))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    stuff_areas = np.where(things, 0, counts[-1])
    stuffs = np.flatnonzero(stuff_areas >= max(settings.least_stuff_share * labels.size, 1))
    # The last entry belongs to pixels without an owner, whose index is -1.
    thing_ids = np.zeros(len(centres) + 1, np.uint16)
    stuff_ids = np.zeros(classes, np.uint16)
    thing_ids[kept] = 1 + np.arange(len(kept))
    stuff_ids[stuffs] = 1 + len(kept) + np.arange(len(stuffs))
    segments = np.empty(labels.shape, np.uint16)
    boxes = np.empty((1 + len(kept) + len(stuffs), 4), np.int64)
    _paint(owners, labels, thing_ids, stuff_ids, segments, boxes)
    found = [(int(winners[i]), True, float(scores[i]), int(areas[i])) for i in kept]
    found += [(int(k), False, 1.0, int(stuff_areas[k])) for k in stuffs]
    table = tuple(
        _segment(number, boxes[number], *entry) for number, entry in enumerate(found, start=1)
    )
    return PanopticMap(segments, table)


def _segment(
    number: int, box: NDArray[np.int64], class_id: int, is_thing: bool, score: float, area: int
) -> Segment:
    left, top, right, bottom = (int(side) for side in box)
    place = (left, top, right - left + 1, bottom - top + 1)
    return Segment(
        number, class_id, "", is_thing, score, area, place, 0, UNMEASURED_M, UNMEASURED_M
    )


def _chosen(
    centres: NDArray[np.float32], width: float, height: float, settings: GroupingSettings
) -> NDArray[np.float32]:
    """Centres inside the image, best first, none too near to a better one."""
    x, y, score = centres.T
    # Unused rows have score 0, whatever the limit.
    valid = (score > 0) & (score >= settings.least_centre_score)
    valid &= (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    ordered = centres[valid][np.argsort(-score[valid], kind="stable")]
    near = settings.least_centre_distance**2
    chosen: list[int] = []
    for number, place in enumerate(ordered[:, :2]):
        distances = ((ordered[chosen, :2] - place) ** 2).sum(axis=1)
        if not (distances < near).any():
            chosen.append(number)
    return np.ascontiguousarray(ordered[chosen], np.float32)


@kernel
def _mean_probabilities(
    semantic: Any, centres: Any, winners: Any, owners: Any, middle_rows: Any, middle_columns: Any
) -> Any:
    """Mean probability of each centre's class over the cells whose middles it owns.

    The cell of the centre itself always counts, so that none is without one.
    """
    total = np.zeros(len(centres), np.float64)
    cells = np.ones(len(centres), np.float64)
    for number in range(len(centres)):
        row = min(int(centres[number, 1] / STRIDE), semantic.shape[1] - 1)
        column = min(int(centres[number, 0] / STRIDE), semantic.shape[2] - 1)
        total[number] = _probability(semantic, winners[number], row, column)
    for row in range(len(middle_rows)):
        for column in range(len(middle_columns)):
            owner = owners[middle_rows[row], middle_columns[column]]
            if owner != NOBODY:
                total[owner] += _probability(semantic, winners[owner], row, column)
                cells[owner] += 1
    return total / cells


@kernel
def _probability(semantic: Any, channel: int, row: int, column: int) -> Any:
    """Softmax of one channel at one cell."""
    total = np.float32(0)
    for other in range(len(semantic)):
        total += np.exp(semantic[other, row, column] - semantic[channel, row, column])
    return 1 / total


@kernel
def _paint(
    owners: Any, labels: Any, thing_ids: Any, stuff_ids: Any, segments: Any, boxes: Any
) -> None:
    """Segment of each pixel; first and last column and row of each segment."""
    height, width = labels.shape
    boxes[:, 0], boxes[:, 1] = width, height
    boxes[:, 2:] = -1
    for y in range(height):
        for x in range(width):
            number = thing_ids[owners[y, x]]
            if owners[y, x] == NOBODY:
                number = stuff_ids[labels[y, x]]
            segments[y, x] = number
            box = boxes[number]
            box[0], box[1] = min(box[0], x), min(box[1], y)
            box[2], box[3] = max(box[2], x), max(box[3], y)
