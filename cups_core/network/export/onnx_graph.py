"""Writes a static network as an ONNX file of opset 18; the verb `export-model` calls it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxscript import opset18
from torch import nn

import cups_core.network.cascade.roi_align  # noqa: F401  registers the operator
from cups_core.errors import ModelError

OPSET = 18
INPUT = "image"
# Protocol buffers end there; the weights of larger networks would need a second file.
MOST_BYTES = 2**31 - 1


def onnx_graph(
    network: nn.Module, size: tuple[int, int], outputs: Sequence[str]
) -> onnx.ModelProto:
    """The graph of a network that takes one image.

    Args:
        network: in evaluation mode; takes float32 (1, 3, H, W), every tensor has a fixed size.
        size: height and width.
        outputs: names of what it gives.
    """
    image = torch.zeros(1, 3, *size)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter warns of its own parts; what matters is checked on the finished graph.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (image,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(outputs),
            custom_translation_table={torch.ops.cups.roi_align.default: _roi_align},
            verbose=False,
        )
    return program.model_proto


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph with its weights as one file.

    Raises:
        ModelError: it is too large for one, or the place cannot be written.
    """
    size = model.ByteSize()
    if size > MOST_BYTES:
        raise ModelError(
            f"{path}: a file of this form holds at most 2 GB, the network has {size / 1e9:.1f} GB: "
            "export it with --precision fp16 or int8"
        )
    try:
        onnx.save_model(model, path)
    except OSError as problem:
        raise ModelError(f"{path}: cannot be written ({problem.strerror})") from problem


def _roi_align(features: Any, regions: Any, scale: float, size: int) -> Any:
    """`roi_align.roi_align` in ONNX; all images are the first of their batch."""
    boxes = opset18.Slice(regions, [1], [5], [1])
    image = opset18.Cast(opset18.Squeeze(opset18.Slice(regions, [0], [1], [1]), [1]), to=7)
    return opset18.RoiAlign(
        features,
        boxes,
        image,
        coordinate_transformation_mode="half_pixel",
        mode="avg",
        output_height=size,
        output_width=size,
        # 0 = as many as a cell is pixels wide. Written out, since OpenVINO takes 1 without it.
        sampling_ratio=0,
        spatial_scale=scale,
    )
