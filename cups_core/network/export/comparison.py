"""Runs models on images and tells how well they agree; the export and the benchmark ask here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cups_core.network.export.agreement import Agreement, ImagePair, agreement
from cups_core.panoptic_combination import CombinationSettings
from cups_core.runtime.backend import Backend, Outputs
from cups_core.runtime.decoding import decoded_order, decoder
from cups_core.runtime.letterbox import Letterbox, fill
from cups_core.runtime.sidecar import CASCADE, ModelInput, ModelSidecar
from cups_core.settings import make_settings

Image = NDArray[np.uint8]


def tensor_of(image: Image, place: ModelInput) -> NDArray[np.float32]:
    """An RGB image (H, W, 3) as a model takes it, (1, 3, height, width)."""
    tensor = np.zeros((1, 3, place.height, place.width), np.float32)
    fill(image, _letterbox(image, place), place, tensor)
    return tensor


def outputs_of(backend: Backend, place: ModelInput, images: Sequence[Image]) -> list[Outputs]:
    """What a model says of each image."""
    found = (backend.run(tensor_of(image, place)) for image in images)
    # A backend may use the memory of its outputs again.
    return [{name: np.array(values) for name, values in outputs.items()} for outputs in found]


def compare(
    exact: Sequence[Outputs],
    reduced: Sequence[Outputs],
    sidecar: ModelSidecar,
    images: Sequence[Image],
) -> Agreement:
    """How well the outputs for the same images agree.

    Args:
        exact: of the model in float32.
        reduced: of the other one.
        sidecar: of either.
        images: what both saw.
    """
    decode = decoder(sidecar)
    boxes = [_letterbox(image, sidecar.input) for image in images]
    pairs = [
        ImagePair(first, decode(first, box), second, decode(second, box))
        for first, second, box in zip(exact, reduced, boxes, strict=True)
    ]
    least_score = 0.0
    if sidecar.kind == CASCADE:
        least_score = make_settings(CombinationSettings, sidecar.thresholds).least_score
    is_thing = [item.is_thing for item in decoded_order(sidecar.kind, sidecar.classes)]
    return agreement(pairs, is_thing, least_score)


def _letterbox(image: Image, place: ModelInput) -> Letterbox:
    return Letterbox.of(image.shape[1], image.shape[0], place)
