"""The panoptic map of what an exported cascade finds, at the size of the camera's image.

The predictor calls it with the outputs of any backend.
"""

from __future__ import annotations

import numpy as np

from cups_core.panoptic import PanopticMap
from cups_core.panoptic_combination import CombinationSettings, Detections, combine
from cups_core.runtime.backend import Outputs
from cups_core.runtime.graph_check import STRIDE, UNUSED_SCORE
from cups_core.runtime.letterbox import Letterbox
from cups_core.runtime.semantic_winners import winners


def cascade_map(
    outputs: Outputs, letterbox: Letterbox, settings: CombinationSettings
) -> PanopticMap:
    """Boxes without what lies over the padding, masks and logits at the image's own size.

    Args:
        outputs: boxes, scores, labels, masks and semantic, checked.
        letterbox: where the image lies in the graph's input.
        settings: what becomes a segment.

    Returns:
        Class ids count stuffs first, then things, as `combine` gives them.
    """
    boxes = letterbox.clipped(outputs["boxes"])
    # A box that lies over the padding alone, or an unused row, is no detection.
    kept = (outputs["scores"] > UNUSED_SCORE) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    detections = Detections(
        boxes[kept],
        outputs["scores"][kept],
        outputs["labels"][kept].astype(np.int64),
        outputs["masks"][kept],
    )
    logits = outputs["semantic"][0]
    return combine(
        detections.scaled(*letterbox.enlargement),
        winners(logits, letterbox, STRIDE),
        len(logits) - 1,
        settings,
    )
