"""Joins detections with masks and a semantic map to one panoptic map; no pixel belongs to two.

The predictor calls it for every backend, so it needs no PyTorch. The rule is that of Kirillov et
al., "Panoptic Segmentation" (CVPR 2019), with the limits of CUPS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.mask_pasting import paste
from cups_core.panoptic import PanopticMap, Segment
from cups_core.settings import setting

UNMEASURED_M = np.full(3, np.nan)
THING_CHANNEL = 0
# Rows and columns of a part of the image.
Place = tuple[slice, slice]


@dataclass(frozen=True)
class CombinationSettings:
    """What becomes a segment."""

    least_score: float = setting(0.5, "detections below it are left out", minimum=0.0, maximum=1.0)
    most_overlap: float = setting(
        0.5,
        "a detection is left out when better ones cover more than this share of its mask",
        minimum=0.0,
        maximum=1.0,
    )
    least_stuff_share: float = setting(
        1 / 512,
        "stuff that covers less than this share of the image stays void; 1/512 is the 4096 pixels "
        "of CUPS at 2048x1024, where CUPS labels itself and is evaluated",
        minimum=0.0,
        maximum=1.0,
    )
    least_stuff_px: int = setting(
        0, "the same limit in pixels, to compare with CUPS; 0 = take the share", minimum=0
    )

    def stuff_limit_px(self, height: int, width: int) -> float:
        """The least area of a stuff segment in an image of that size."""
        return self.least_stuff_px or self.least_stuff_share * height * width


@dataclass(frozen=True, eq=False)
class Detections:
    """Instances of one image.

    Attributes:
        boxes: float32 (N, 4), left, top, right, bottom in pixels.
        scores: float32 (N,), 0 to 1.
        classes: int64 (N,), number among the things.
        masks: float32 (N, m, m), probabilities over each box.

    Raises:
        InputError: the arrays do not belong together.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.scores)
        shapes = (self.boxes.shape, self.classes.shape, self.masks.shape[:1])
        if shapes != ((count, 4), (count,), (count,)) or self.masks.ndim != 3:
            raise InputError(
                f"detections: expected {count} boxes (N, 4), classes (N,) and masks (N, m, m) for "
                f"{count} scores, found {self.boxes.shape}, {self.classes.shape}, "
                f"{self.masks.shape}"
            )

    def scaled(self, x: float, y: float) -> Detections:
        """The same for an image whose pixels are that many times as many per side."""
        factors = np.array([x, y, x, y], np.float32)
        return replace(self, boxes=self.boxes * factors)


def combine(
    detections: Detections,
    labels: NDArray[np.integer],
    stuffs: int,
    settings: CombinationSettings,
) -> PanopticMap:
    """The panoptic map of an image.

    Args:
        detections: in pixels of the map.
        labels: (H, W), the best channel of each pixel: 0 = some thing, k = the k-th stuff.
        stuffs: number of stuff classes S.
        settings: limits.

    Returns:
        Segments in the order of acceptance: things by score, then stuff by class. Class ids: stuff
        0 to S - 1, things from S on; names are empty.

    Raises:
        InputError: `labels` is no map of such channels.
    """
    if labels.ndim != 2 or labels.size == 0 or labels.max() > stuffs or labels.min() < 0:
        raise InputError(
            f"semantic labels: expected (H, W) of 0 to {stuffs}, found {labels.shape}"
            + (f" of {labels.min()} to {labels.max()}" if labels.size else "")
        )
    segments = np.zeros(labels.shape, np.uint16)
    table: list[Segment] = []
    for number, patch, place in _accepted(detections, segments, settings):
        segments[place][patch] = len(table) + 1
        class_id = stuffs + int(detections.classes[number])
        score = float(detections.scores[number])
        table.append(_segment(len(table) + 1, class_id, True, score, patch, place))
    left = np.where(segments == 0, labels, THING_CHANNEL)
    areas = np.bincount(left.ravel(), minlength=stuffs + 1)
    limit = settings.stuff_limit_px(*labels.shape)
    for channel in range(THING_CHANNEL + 1, stuffs + 1):
        if areas[channel] and areas[channel] >= limit:
            area = left == channel
            segments[area] = len(table) + 1
            whole = (slice(0, labels.shape[0]), slice(0, labels.shape[1]))
            table.append(_segment(len(table) + 1, channel - 1, False, 1.0, area, whole))
    return PanopticMap(segments, tuple(table))


def _accepted(
    detections: Detections, segments: NDArray[np.uint16], settings: CombinationSettings
) -> Iterator[tuple[int, NDArray[np.bool_], Place]]:
    """Index, free pixels and their place of each detection that becomes a segment, best first."""
    height, width = segments.shape
    for number in np.argsort(-detections.scores, kind="stable"):
        if detections.scores[number] < settings.least_score:
            return
        top, left, mask = paste(detections.masks[number], detections.boxes[number], height, width)
        place = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
        area = np.count_nonzero(mask)
        free = mask & (segments[place] == 0)
        remaining = np.count_nonzero(free)
        if remaining and (area - remaining) / area <= settings.most_overlap:
            yield int(number), free, place


def _segment(
    number: int,
    class_id: int,
    is_thing: bool,
    score: float,
    area: NDArray[np.bool_],
    place: Place,
) -> Segment:
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    box = (
        int(columns[0]) + place[1].start,
        int(rows[0]) + place[0].start,
        int(columns[-1] - columns[0]) + 1,
        int(rows[-1] - rows[0]) + 1,
    )
    pixels = int(np.count_nonzero(area))
    return Segment(
        number, class_id, "", is_thing, score, pixels, box, 0, UNMEASURED_M, UNMEASURED_M
    )
