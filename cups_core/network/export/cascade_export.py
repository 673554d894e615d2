"""The panoptic cascade of a checkpoint as a plan of its graph; `checkpoint_export` asks for it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

from torch import nn

from cups_core.errors import InputError
from cups_core.network.cascade.anchors import ASPECT_RATIOS
from cups_core.network.cascade.feature_pyramid import STRIDES
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.export.batch_norm_folding import fold
from cups_core.network.export.model_writing import GraphPlan, MakeNetwork
from cups_core.network.export.settings import ExportSettings
from cups_core.network.export.static_cascade import StaticCascade
from cups_core.network.panoptic_checkpoints import load_panoptic
from cups_core.panoptic_combination import CombinationSettings

# By their weights: cheap, and what they say is used as it is.
LAST_LAYERS = (
    "objectness_logits",
    "anchor_deltas",
    "box_predictor",
    "mask_head.predictor",
    "sem_seg_head.predictor",
)


def cascade_plan(checkpoint: Path, settings: ExportSettings, network: str) -> GraphPlan:
    """What the graph of a checkpoint is made of; arguments as of `load_panoptic`.

    Raises:
        CheckpointError: the weights cannot be used.
        InputError: the size does not fit the network.
    """
    _check_anchors(settings)
    weights = load_panoptic(checkpoint, network)
    return GraphPlan(
        cascade_maker(weights, settings),
        weights.things,
        weights.stuffs,
        dataclasses.asdict(CombinationSettings()),
        LAST_LAYERS,
    )


def cascade_maker(network: PanopticCascade, settings: ExportSettings) -> MakeNetwork:
    """What makes the static network in either precision; the given one is not changed."""
    folded = copy.deepcopy(network).eval()
    fold(folded)

    def make(is_half: bool) -> nn.Module:
        size = (settings.height, settings.width)
        return StaticCascade(folded, size, settings.proposals, is_half).eval()

    return make


def _check_anchors(settings: ExportSettings) -> None:
    sides = settings.height, settings.width
    anchors = len(ASPECT_RATIOS) * (sides[0] // STRIDES[0]) * (sides[1] // STRIDES[0])
    if anchors < settings.proposals:
        raise InputError(
            f"size {sides[0]}x{sides[1]}: {anchors} anchors in the finest level, fewer than the "
            f"{settings.proposals} proposals that were asked for"
        )
