"""Completes a moving object's mask over its textureless interior, where nothing was measured.

The region segmenter calls it for each object before the masks leave the grid.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.motion.static_evidence import StaticEvidence

# Reach of the closing, as a share of the object's mean width on the grid.
CLOSING_SHARE = 0.15
# Evidence below this says that a point was seen standing still.
SEEN_STATIC = -0.3
# A measured disparity may differ by this share and still belong to the object.
DEPTH_SHARE = 0.15


def complete_shape(
    region: NDArray[np.int64], number: int, weighed: StaticEvidence
) -> NDArray[np.bool_]:
    """The mask of one region, bool (h, w), with silent gaps and holes filled.

    A point is added where the outline encloses it, or nearly, and no measurement says otherwise: no
    other region, not the road, not seen standing still, no disparity of another surface.

    Args:
        region: int64 (h, w), 0 = none.
        number: the region to complete.
        weighed: what was measured there.
    """
    mask = region == number
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    reach = max(1, round(CLOSING_SHARE * float(np.sqrt(mask.sum()))))
    window = (
        slice(max(rows[0] - reach, 0), rows[-1] + reach + 1),
        slice(max(columns[0] - reach, 0), columns[-1] + reach + 1),
    )
    inside = mask[window]
    known, disparity = weighed.known[window], weighed.disparity[window]
    own = float(np.median(disparity[inside & known])) if (inside & known).any() else 0.0
    other_surface = known & (np.abs(disparity - own) > DEPTH_SHARE * own)
    taken = (region[window] > 0) & ~inside
    free = ~taken & ~weighed.ground[window] & ~other_surface
    free &= weighed.evidence[window] > SEEN_STATIC
    # Beyond the image border there is nothing to see: an object that leaves it is closed along the
    # border.
    padded = cv2.copyMakeBorder(
        inside.astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_REPLICATE
    )
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, ball)[reach:-reach, reach:-reach] > 0
    inside = inside | (closed & free)
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = np.zeros(inside.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    complete = np.zeros(mask.shape, np.bool_)
    # What the outline encloses altogether belongs to it even if a window shows the depth of what
    # lies behind.
    enclosed = (filled > 0) & ~taken
    complete[window] = inside | (enclosed & (weighed.evidence[window] > SEEN_STATIC))
    return complete
