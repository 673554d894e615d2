"""Small real ONNX graphs with the inputs and outputs of exported networks, and their sidecars.

The semantic logits and the offsets are convolutions of the image, the rest is constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cups_core.runtime.model_file import sha256_of
from cups_core.runtime.sidecar import (
    CASCADE,
    ONE_STAGE,
    ModelClass,
    ModelInput,
    ModelSidecar,
    sidecar_path,
    write_sidecar,
)

WIDTH, HEIGHT, STRIDE = 128, 64, 4
ROWS, CELLS = 100, 28
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CLASSES = (
    ModelClass(7, "road", False, (128, 64, 128)),
    ModelClass(3, "car", True, (0, 0, 142)),
    ModelClass(8, "sky", False, (70, 130, 180)),
    ModelClass(11, "person", True, (220, 20, 60)),
    ModelClass(9, "wall", False, (102, 102, 156)),
)
BOXES = ([10, 10, 50, 40], [40, 20, 90, 60], [100, 30, 127, 63])
SCORES = (0.9, 0.8, 0.7)
LABELS = (0, 1, 0)
Arrays = Mapping[str, NDArray[np.generic]]
OPSET = 18
IR_VERSION = 10


def detections(
    boxes: Sequence[Sequence[float]] = BOXES,
    scores: Sequence[float] = SCORES,
    labels: Sequence[int] = LABELS,
) -> dict[str, NDArray[np.generic]]:
    """Constant outputs of a cascade: full masks, padded to a hundred rows."""
    count = len(scores)
    found: dict[str, NDArray[np.generic]] = {
        "boxes": np.zeros((ROWS, 4), np.float32),
        "scores": np.zeros(ROWS, np.float32),
        "labels": np.zeros(ROWS, np.int32),
        "masks": np.zeros((ROWS, CELLS, CELLS), np.float32),
    }
    for name, values in (("boxes", boxes), ("scores", scores), ("labels", labels), ("masks", 1.0)):
        if count:
            found[name][:count] = values
    return found


def cascade_sidecar(**changes: object) -> ModelSidecar:
    """Of a cascade with two things and three stuffs."""
    base = ModelSidecar(
        kind=CASCADE,
        input=ModelInput("image", WIDTH, HEIGHT, MEAN, STD),
        classes=CLASSES,
        thresholds={"least_score": 0.5},
        precision="fp32",
        sha256="0" * 64,
        training={"manifest": "drive-7"},
        tool_version="0.1.0",
    )
    return replace(base, **changes)


def write_cascade(
    folder: Path,
    constants: Arrays | None = None,
    channels: int = 4,
    seed: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    **changes: object,
) -> Path:
    """A cascade's graph and sidecar in a folder; `changes` are fields of the sidecar."""
    constants = detections() if constants is None else constants
    return _write(folder, cascade_sidecar(**changes), constants, {"semantic": channels}, seed, size)


def write_one_stage(
    folder: Path, centres: NDArray[np.float32], seed: int = 0, **changes: object
) -> Path:
    """A one-stage network's graph and sidecar in a folder."""
    sidecar = cascade_sidecar(kind=ONE_STAGE, outputs=(), thresholds={}, **changes)
    channels = {"semantic": len(CLASSES), "offsets": 2}
    return _write(folder, sidecar, {"centres": centres}, channels, seed, (WIDTH, HEIGHT))


def _write(
    folder: Path,
    sidecar: ModelSidecar,
    constants: Arrays,
    convolutions: Mapping[str, int],
    seed: int,
    size: tuple[int, int],
) -> Path:
    width, height = size
    generator = np.random.default_rng(seed)
    weights = {
        f"{name}_weights": generator.normal(0, 0.3, (count, 3, STRIDE, STRIDE)).astype(np.float32)
        for name, count in convolutions.items()
    }
    nodes = [helper.make_node("Identity", [f"{name}_constant"], [name]) for name in constants] + [
        helper.make_node(
            "Conv",
            ["image", f"{name}_weights"],
            [name],
            kernel_shape=[STRIDE, STRIDE],
            strides=[STRIDE, STRIDE],
        )
        for name in convolutions
    ]
    outputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape
        )
        for name, values in constants.items()
    ] + [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, (1, count, height // STRIDE, width // STRIDE)
        )
        for name, count in convolutions.items()
    ]
    tensors = {f"{name}_constant": values for name, values in constants.items()} | weights
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, height, width))],
        outputs,
        [numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    path = folder / "small.onnx"
    onnx.save(model, path)
    write_sidecar(sidecar_path(path), replace(sidecar, sha256=sha256_of(path)))
    return path
