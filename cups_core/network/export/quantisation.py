"""A float32 graph as one whose convolutions and fully connected layers compute in 8 bits.

The verb `export-model` calls it. The graph says everything itself (QuantizeLinear and
DequantizeLinear), so no runtime needs calibration.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cups_core.errors import InputError
from cups_core.network.export.settings import PROCESSOR

LAYERS = ("Conv", "ConvTranspose", "Gemm")
# The last layers, by their weights: cheap, and what they say is used as it is.
LAST_LAYERS = (
    "objectness_logits",
    "anchor_deltas",
    "box_predictor",
    "mask_head.predictor",
    "sem_seg_head.predictor",
    "semantic_head.1",
    "centre_head.1",
    "offset_head.1",
)


def quantised(
    model: onnx.ModelProto,
    images: Iterable[NDArray[np.float32]],
    target: str,
    last_layers: tuple[str, ...] = LAST_LAYERS,
) -> onnx.ModelProto:
    """The graph in 8 bits: weights per channel, activations in the range that images reach.

    Args:
        model: in float32, with its weights; not changed.
        images: (1, 3, H, W) each, normalised; some tens, as different as what the vehicle sees.
        target: "processor": unsigned activations with a zero point, whole biases.
            "tensorrt": signed activations around zero, biases in float32.
        last_layers: parts of names of weights whose layers stay in float32.

    Raises:
        InputError: there are no images.
    """
    kept = [
        node.name
        for node in model.graph.node
        if node.op_type in LAYERS and any(part in node.input[1] for part in last_layers)
    ]
    is_for_processor = target == PROCESSOR
    # The library changes the graph that it is given, and writes files.
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    # What its preprocessing would do is done: normalisation is folded, every shape is known.
    helper = copy.metadata_props.add()
    helper.key, helper.value = "onnx.quant.pre_process", "onnxruntime.quant"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quantised.onnx"
        quantize_static(
            copy,
            path,
            _Images(model.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(LAYERS),
            per_channel=True,
            activation_type=QuantType.QUInt8 if is_for_processor else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={
                "ActivationSymmetric": not is_for_processor,
                "WeightSymmetric": True,
                "QuantizeBias": is_for_processor,
            },
        )
        found = onnx.load(path)
    del found.metadata_props[:]
    return found


class _Images(CalibrationDataReader):
    """Images as the library asks for them, one at a time."""

    def __init__(self, name: str, images: Iterable[NDArray[np.float32]]) -> None:
        self._name = name
        self._left: Iterator[NDArray[np.float32]] = iter(images)
        self._is_empty = True

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next image by the name of the input, None after the last one."""
        image = next(self._left, None)
        if image is None:
            if self._is_empty:
                raise InputError("quantisation: expected some images, found none")
            return None
        self._is_empty = False
        return {self._name: image}
