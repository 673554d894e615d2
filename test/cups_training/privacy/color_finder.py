"""Real ONNX models that find red squares (faces) and blue ones (plates), in every output layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 16
STEP_PX = 4
NAMES = ["person", "face", "plate"]

Node = Any


class Graph:
    """Nodes and constants of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def add(
        self, kind: str, *inputs: str, name: str = "", outputs: int = 1, **settings: Any
    ) -> Any:
        names = [name or f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **settings))
        return names[0] if outputs == 1 else names


def write_finder(
    path: Path,
    layout: str,
    *,
    size: tuple[int, int] | None = (96, 160),
    dtype: int = TensorProto.FLOAT,
    axes: str = "nchw",
    scale: float = 1 / 255,
    names: list[str] | None = None,
    metadata: dict[str, str] | None = None,
    **description: Any,
) -> Path:
    """Write `path` and its YAML file; `size` is height and width, None = any."""
    graph = Graph()
    boxes, scores = _find(graph, dtype, axes, scale)
    shapes = _output(graph, layout, boxes, scores)
    height, width = size or ("height", "width")
    sizes = {"n": 1, "c": 3, "h": height, "w": width}
    inputs = [helper.make_tensor_value_info("picture", dtype, [sizes[axis] for axis in axes])]
    outputs = [helper.make_tensor_value_info(*shape) for shape in shapes]
    made = helper.make_model(
        helper.make_graph(graph.nodes, layout, inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(made, metadata or {})
    onnx.checker.check_model(made)
    onnx.save(made, path)
    entries: dict[str, Any] = {"kinds": {"face": "face", "plate": "plate"}, "score_threshold": 0.7}
    if not metadata:
        entries["names"] = names or NAMES
    if dtype != TensorProto.UINT8:
        entries["input_scale"] = scale
    path.with_suffix(".yaml").write_text(yaml.safe_dump(entries | description))
    return path


def _find(graph: Graph, dtype: int, axes: str, scale: float) -> tuple[str, str]:
    """Corners (1, A, 4) of all windows, pixels, and their scores (1, A, 3)."""
    picture = "picture"
    if dtype != TensorProto.FLOAT:
        picture = graph.add("Cast", picture, to=TensorProto.FLOAT)
    if "n" not in axes:
        picture = graph.add("Unsqueeze", picture, graph.constant([0], np.int64))
    if axes.endswith("c"):
        picture = graph.add("Transpose", picture, perm=[0, 3, 1, 2])
    unit = 1 / 255 if dtype == TensorProto.UINT8 else 1 / (255 * scale)
    # Nothing for the person, red without the others for the face, blue for the plate.
    weights = unit * np.array([[0, 0, 0], [1, -1, -1], [-1, -1, 1]])[..., None, None]
    colors = graph.add("Conv", picture, graph.constant(weights))
    colors = graph.add("Clip", colors, graph.constant(0), graph.constant(1))
    window = {"kernel_shape": [SIDE_PX] * 2, "strides": [STEP_PX] * 2}
    means = graph.add("AveragePool", colors, **window)
    first = graph.add("Slice", means, *(graph.constant(v, np.int64) for v in ([0], [1], [1])))
    ones = graph.add("Add", graph.add("Mul", first, graph.constant(0)), graph.constant(1))
    corners = []
    for axis in (3, 2):
        count = graph.add("CumSum", ones, graph.constant(axis, np.int64), exclusive=1)
        corners.append(graph.add("Mul", count, graph.constant(STEP_PX)))
    ends = [graph.add("Add", corner, graph.constant(SIDE_PX)) for corner in corners]
    boxes = graph.add("Concat", *corners, *ends, axis=1)
    return _listed(graph, boxes, 4), _listed(graph, means, 3)


def _listed(graph: Graph, maps: str, channels: int, name: str = "") -> str:
    flat = graph.add("Reshape", maps, graph.constant([1, channels, -1], np.int64))
    return graph.add("Transpose", flat, perm=[0, 2, 1], name=name)


def _output(graph: Graph, layout: str, boxes: str, scores: str) -> list[tuple[str, int, list[Any]]]:
    """Add the nodes that state the detections; name, type and shape of the outputs."""
    real, whole = TensorProto.FLOAT, TensorProto.INT64
    if layout in ("yolo_v8", "yolo_v5"):
        parts = [_centered(graph, boxes)]
        if layout == "yolo_v5":
            best = graph.add("ReduceMax", scores, graph.constant([2], np.int64))
            # Objectness times class gives the score again; a score of nothing stays nothing.
            root = graph.add("Sqrt", best)
            safe = graph.add("Max", root, graph.constant(1e-3))
            parts += [root, graph.add("Div", scores, safe)]
        else:
            parts.append(scores)
        rows = graph.add("Concat", *parts, axis=2)
        last = graph.add(
            "Transpose", rows, perm=[0, 2, 1] if layout == "yolo_v8" else [0, 1, 2], name="output0"
        )
        return [(last, real, [1, None, None])]
    if layout == "score_columns":
        graph.add("Identity", boxes, name="boxes")
        graph.add("Identity", scores, name="scores")
        return [("boxes", real, [1, None, 4]), ("scores", real, [1, None, 3])]
    best = graph.add("ReduceMax", scores, graph.constant([2], np.int64), keepdims=0)
    number = graph.add("ArgMax", scores, axis=2, keepdims=0)
    if layout == "separate":
        flat = graph.constant([0], np.int64)
        for found, name in ((boxes, "boxes"), (number, "labels"), (best, "scores")):
            graph.add("Squeeze", found, flat, name=name)
        return [("boxes", real, [None, 4]), ("labels", whole, [None]), ("scores", real, [None])]
    return _suppressed(graph, layout, boxes, scores, best, number)


def _suppressed(
    graph: Graph, layout: str, boxes: str, scores: str, best: str, number: str
) -> list[tuple[str, int, list[Any]]]:
    """Non-maximum suppression inside the graph, then rows (N, 6), or (1, N, 6)."""
    by_class = graph.add("Transpose", scores, perm=[0, 2, 1])
    kept = graph.add(
        "NonMaxSuppression",
        boxes,
        by_class,
        graph.constant(20, np.int64),
        graph.constant(0.3),
        graph.constant(0.5),
    )
    index = graph.add("Gather", kept, graph.constant(2, np.int64), axis=1)
    own = [graph.add("Gather", boxes, index, axis=1)]
    for found in (best, graph.add("Cast", number, to=TensorProto.FLOAT)):
        picked = graph.add("Gather", found, index, axis=1)
        own.append(graph.add("Unsqueeze", picked, graph.constant([2], np.int64)))
    rows = graph.add("Concat", *own, axis=2, name="detections" if layout == "batched_rows" else "")
    if layout == "rows":
        rows = graph.add("Squeeze", rows, graph.constant([0], np.int64), name="detections")
    shape = [None, 6] if layout == "rows" else [1, None, 6]
    return [("detections", TensorProto.FLOAT, shape)]


def _centered(graph: Graph, boxes: str) -> str:
    low, high = graph.add("Split", boxes, outputs=2, axis=2, num_outputs=2)
    size = graph.add("Sub", high, low)
    half = graph.add("Mul", size, graph.constant(0.5))
    return graph.add("Concat", graph.add("Add", low, half), size, axis=2)
