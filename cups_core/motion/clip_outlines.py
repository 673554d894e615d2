"""Draws the masks of moving objects along the edges of the picture (GrabCut, Rother et al. 2004).

Patch-based flow and stereo carry an object's motion over its outline, so measured masks are too
wide. Whole-clip labelling sharpens the masks that it has voted on.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.motion.segments import areas_and_boxes

# Widths as shares of the root of the mask's area: so far outside the mask an object may reach, so
# much is shown of what lies around it.
REACH_SHARE = 0.2
CONTEXT_SHARE = 0.4
LEAST_REACH = 3
# Points deeper inside than this share of the deepest one belong to the object without question.
CORE_SHARE = 0.5
ROUNDS = 2
LARGE_WINDOW = 12_000  # grid points
# Colours cannot be learned from fewer points; and a cut of another size than the mask followed
# something else than the object's outline.
FEWEST_POINTS = 30
SMALLEST_CUT, LARGEST_CUT = 0.4, 1.5

IdMap = NDArray[np.uint16]


def sharpened(ids: IdMap, image: NDArray[np.uint8]) -> IdMap:
    """The masks after their outlines were drawn to where the colours change.

    Args:
        ids: uint16 (h, w), 0 = none.
        image: uint8 (h, w, 3).
    """
    result = np.zeros_like(ids)
    for number, (area, box) in areas_and_boxes(ids).items():
        reach = max(LEAST_REACH, round(REACH_SHARE * area**0.5))
        margin = max(2 * LEAST_REACH, round(CONTEXT_SHARE * area**0.5))
        window = (
            slice(max(box[1] - margin, 0), box[1] + box[3] + margin),
            slice(max(box[0] - margin, 0), box[0] + box[2] + margin),
        )
        mask = ids[window] == number
        # Large objects are cut at half size: it costs a quarter, their outlines are smooth.
        step = 2 if mask.size > LARGE_WINDOW else 1
        cut = _cut(
            mask[::step, ::step], np.ascontiguousarray(image[window][::step, ::step]), reach // step
        )
        cut = cut.repeat(step, axis=0).repeat(step, axis=1)[: mask.shape[0], : mask.shape[1]]
        if not (area >= FEWEST_POINTS and SMALLEST_CUT < cut.sum() / area < LARGEST_CUT):
            cut = mask
        free = result[window]
        free[cut & (free == 0)] = number
    return result


def _cut(mask: NDArray[np.bool_], image: NDArray[np.uint8], reach: int) -> NDArray[np.bool_]:
    """The part of the window whose colours are those of the mask's core rather than of the rest."""
    inside = mask.astype(np.uint8)
    # The window's border counts as outside, or a mask that fills it would have no outline.
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    belongs = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    belongs[depth > CORE_SHARE * depth.max()] = cv2.GC_FGD
    belongs[away > reach] = cv2.GC_BGD
    if not mask.any() or np.count_nonzero(away > reach) < FEWEST_POINTS:
        return mask
    # The clustering of colours draws from OpenCV's random numbers: the same mask, the same cut.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, belongs, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.asarray((belongs == cv2.GC_FGD) | (belongs == cv2.GC_PR_FGD))
