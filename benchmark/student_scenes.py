"""Small pictures of two touching cars and a person before sky and road, with their truth.

`benchmark.student` teaches the student two of them, and tests of targets and losses look at them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cups_core.panoptic import PanopticMap, Segment
from cups_core.panoptic_combination import UNMEASURED_M

SKY, ROAD, CAR, PERSON = range(4)
THINGS, STUFFS = 2, 2
IS_THING = (False, False, True, True)
COLORS = np.array(
    [[0.6, 0.7, 0.9], [0.35, 0.35, 0.35], [0.8, 0.1, 0.1], [0.1, 0.7, 0.1]], np.float32
)
CLASSES = {1: SKY, 2: ROAD, 3: CAR, 4: CAR, 5: PERSON}
SMALL_SEGMENT = 5
NOISE, DARK, WHEEL_PX = 0.03, 0.05, 8


def picture(seed: int, size: tuple[int, int]) -> tuple[Tensor, PanopticMap]:
    """RGB (3, H, W) from 0 to 1, noisy, and what it shows; at least 64x96."""
    random = np.random.default_rng(seed)
    height, width = size
    segments = np.ones(size, np.int64)
    segments[height // 2 :] = 2
    left, top = int(random.integers(8, width // 8)), int(random.integers(height // 3, height // 2))
    long, high = width // 4, height // 4
    segments[top : top + high, left : left + long] = 3
    segments[top : top + high, left + long : left + 2 * long] = 4
    segments[top - 8 : top + high, width - 40 : width - 20] = SMALL_SEGMENT
    color_of = np.stack([COLORS[CLASSES[number]] for number in sorted(CLASSES)])
    image = color_of[segments - 1] + random.normal(0, NOISE, (*size, 3))
    # Touching cars of one color can be told apart by their wheels alone.
    for x in (left, left + long):
        for wheel in (x + WHEEL_PX, x + long - 2 * WHEEL_PX):
            image[top + high - WHEEL_PX : top + high, wheel : wheel + WHEEL_PX] = DARK
    tensor = torch.from_numpy(image.clip(0, 1).astype(np.float32)).permute(2, 0, 1)
    return tensor, truth_of(segments, CLASSES)


def truth_of(segments: NDArray[np.integer], classes: Mapping[int, int]) -> PanopticMap:
    """The map of segments (H, W), 0 = void, whose classes are given."""
    areas = np.bincount(segments.ravel())
    table = (
        Segment(
            number,
            classes[number],
            "",
            classes[number] >= STUFFS,
            1.0,
            int(areas[number]),
            (0, 0, segments.shape[1], segments.shape[0]),
            0,
            UNMEASURED_M,
            UNMEASURED_M,
        )
        for number in sorted(classes)
    )
    return PanopticMap(segments.astype(np.uint16), tuple(table))
