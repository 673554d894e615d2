"""Small pictures of two things before two stuffs, with their truth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cups_core.panoptic import PanopticMap, Segment
from cups_core.panoptic_combination import UNMEASURED_M

SKY, ROAD, CAR, PERSON = range(4)
THINGS, STUFFS = 2, 2
COLORS = {SKY: (0.6, 0.7, 0.9), ROAD: (0.35, 0.35, 0.35), CAR: (0.8, 0.1, 0.1)}
COLORS[PERSON] = (0.1, 0.7, 0.1)
HEIGHT, WIDTH = 128, 256


def segment(number: int, class_id: int, area: int) -> Segment:
    box = (0, 0, 1, 1)
    thing = class_id >= STUFFS
    return Segment(number, class_id, "", thing, 1.0, area, box, 0, UNMEASURED_M, UNMEASURED_M)


def truth_of(segments: np.ndarray, classes: dict[int, int]) -> PanopticMap:
    areas = np.bincount(segments.ravel())
    return PanopticMap(
        segments.astype(np.uint16),
        tuple(segment(number, classes[number], int(areas[number])) for number in sorted(classes)),
    )


def picture(seed: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> tuple[Tensor, PanopticMap]:
    """RGB (3, H, W), 0 to 1: two cars that touch and a person, noisy."""
    random = np.random.default_rng(seed)
    height, width = size
    segments = np.ones(size, np.int64)
    segments[height // 2 :] = 2
    left, top = int(random.integers(8, width // 8)), int(random.integers(height // 3, height // 2))
    long, high = width // 4, height // 4
    segments[top : top + high, left : left + long] = 3
    segments[top : top + high, left + long : left + 2 * long] = 4
    segments[top - 8 : top + high, width - 40 : width - 20] = 5
    classes = {1: SKY, 2: ROAD, 3: CAR, 4: CAR, 5: PERSON}
    colors = np.array([COLORS[classes[number]] for number in range(1, 6)], np.float32)
    image = colors[segments - 1] + random.normal(0, 0.03, (*size, 3))
    # Each thing has dark wheels, by which touching cars can be told apart.
    for number in (3, 4):
        rows, columns = np.nonzero(segments == number)
        for x in (columns.min() + 6, columns.max() - 14):
            image[rows.max() - 8 : rows.max(), x : x + 8] = 0.05
    return (
        torch.from_numpy(image.clip(0, 1).astype(np.float32)).permute(2, 0, 1),
        truth_of(segments, classes),
    )
