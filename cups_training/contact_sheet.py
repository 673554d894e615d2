"""Several pictures with captions on one sheet: a drive or its labels at a glance.

The demo, labelling and the preview of synthetic drives make theirs with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import FONT, WHITE

PAPER = (24, 24, 27)
GAP = 8
CAPTION_HEIGHT = 26


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], columns: int, width: int
) -> NDArray[np.uint8]:
    """The pictures in rows, each with its caption below.

    Args:
        pictures: uint8 (H, W, 3), RGB, at least one; the first says the shape of all cells.
        captions: one for each picture.
        columns: pictures in a row.
        width: of a cell, pixels.

    Returns:
        uint8 (H', W', 3), RGB.
    """
    height = round(width * pictures[0].shape[0] / pictures[0].shape[1])
    rows = -(-len(pictures) // columns)
    step_x, step_y = width + GAP, height + CAPTION_HEIGHT + GAP
    sheet = np.full((GAP + rows * step_y, GAP + columns * step_x, 3), PAPER, np.uint8)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP + place % columns * step_x, GAP + place // columns * step_y
        sheet[y : y + height, x : x + width] = cv2.resize(
            picture, (width, height), interpolation=cv2.INTER_AREA
        )
        baseline = (x, y + height + CAPTION_HEIGHT - 8)
        cv2.putText(sheet, caption, baseline, FONT, 0.45, WHITE, 1, cv2.LINE_AA)
    return sheet
