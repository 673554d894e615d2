"""The panoptic map of what an exported network finds, at the size of the camera's image.

The predictor calls it with the outputs of any backend, for both kinds of networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cups_core.centre_grouping import CentreVotes, GroupingSettings, group
from cups_core.errors import InputError, ModelError
from cups_core.panoptic import PanopticMap
from cups_core.panoptic_combination import CombinationSettings, Detections, combine
from cups_core.runtime.backend import Outputs
from cups_core.runtime.graph_check import STRIDE, UNUSED_SCORE
from cups_core.runtime.letterbox import Letterbox
from cups_core.runtime.semantic_winners import winners
from cups_core.runtime.sidecar import CASCADE, ModelClass, ModelSidecar
from cups_core.settings import SettingsClass, make_settings

Decode = Callable[[Outputs, Letterbox], PanopticMap]


def decoder(sidecar: ModelSidecar) -> Decode:
    """What makes a map of checked outputs; its class ids are places in `decoded_order`.

    Raises:
        ModelError: the sidecar has thresholds that this kind of network does not know.
    """
    if sidecar.kind == CASCADE:
        combination = _thresholds(CombinationSettings, sidecar)
        return lambda outputs, letterbox: _of_cascade(outputs, letterbox, combination)
    grouping = _thresholds(GroupingSettings, sidecar)
    is_thing = [item.is_thing for item in sidecar.classes]
    return lambda outputs, letterbox: _of_one_stage(outputs, letterbox, is_thing, grouping)


def decoded_order(kind: str, classes: Sequence[ModelClass]) -> tuple[ModelClass, ...]:
    """The classes as a decoded map numbers them: of a cascade stuffs come first, then things."""
    return tuple(sorted(classes, key=lambda item: item.is_thing) if kind == CASCADE else classes)


def _thresholds(cls: type[SettingsClass], sidecar: ModelSidecar) -> SettingsClass:
    try:
        return make_settings(cls, sidecar.thresholds)
    except InputError as problem:
        raise ModelError(f"sidecar, thresholds: {problem}") from problem


def _of_cascade(
    outputs: Outputs, letterbox: Letterbox, settings: CombinationSettings
) -> PanopticMap:
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


def _of_one_stage(
    outputs: Outputs, letterbox: Letterbox, is_thing: Sequence[bool], settings: GroupingSettings
) -> PanopticMap:
    semantic = outputs["semantic"][0]
    return group(
        CentreVotes(semantic, outputs["centres"], outputs["offsets"][0]),
        winners(semantic, letterbox, STRIDE),
        is_thing,
        letterbox.enlargement,
        settings,
    )
