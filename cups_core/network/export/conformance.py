"""Whether a graph stays inside what ONNX Runtime, OpenVINO and TensorRT's parser share.

The export refuses to write another one; it can be asked of any file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from cups_core.network.export.settings import PROCESSOR, TENSORRT

OPSET = 18
# Of TensorRT's parser (operators.md of onnx-tensorrt), without what has outputs of free size:
# NonMaxSuppression, NonZero, Unique, and the ones with graphs inside, If, Loop, Scan.
SHARED_OPERATORS = frozenset(
    re.findall(
        r"\w+",
        """
    Abs Add And ArgMax ArgMin AveragePool Cast Ceil Clip Concat Constant Conv ConvTranspose
    DequantizeLinear Div Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm
    GlobalAveragePool Greater GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization
    Less LessOrEqual Log MatMul Max MaxPool Min Mul Neg Not Or Pad Pow QuantizeLinear Reciprocal
    ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize RoiAlign Sigmoid Slice Softmax
    Split Sqrt Squeeze Sub Tanh TopK Transpose Trilu Unsqueeze Where Xor
        """,
    )
)
# TensorRT has neither 64-bit floats nor other whole numbers in computations.
SHARED_TYPES = frozenset(
    {
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.INT8,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.BOOL,
    }
)
MOST_TOP = 3840
NEAREST, LINEAR = "nearest", "linear"
COORDINATES = {NEAREST: ("asymmetric", "half_pixel"), LINEAR: ("half_pixel",)}


def violations(model: ModelProto, target: str = TENSORRT) -> list[str]:
    """What at least one of the runtimes would refuse or compute otherwise; empty = nothing.

    Args:
        model: with its weights.
        target: "processor" allows unsigned activations with a zero point and whole biases.
    """
    found = [
        f"domain {item.domain or 'ai.onnx'}, version {item.version}: expected ai.onnx {OPSET} alone"
        for item in model.opset_import
        if item.domain or item.version != OPSET
    ]
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except onnx.shape_inference.InferenceError as problem:
        return [*found, f"shapes and types: {problem}"]
    graph = inferred.graph
    constants = {item.name: item for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = _attributes(node)["value"]
        found += [f"{node.op_type} {node.name}: {what}" for what in _of_node(node, constants)]
    known = {item.name for item in (*graph.value_info, *graph.output)}
    for node in graph.node:
        lacking = [name for name in node.output if name and name not in known]
        found += [f"{node.op_type} {node.name}: the type of {name} is unknown" for name in lacking]
    allowed = SHARED_TYPES | ({TensorProto.UINT8} if target == PROCESSOR else set())
    for value in (*graph.input, *graph.output, *graph.value_info):
        found += _of_tensor(value, allowed)
    if target == TENSORRT:
        found += _of_quantisation(graph.node, constants)
    return found


def _of_node(node: NodeProto, constants: dict[str, TensorProto]) -> Iterator[str]:
    given = _attributes(node)
    if node.op_type not in SHARED_OPERATORS or node.domain:
        yield f"not shared ({node.domain or 'ai.onnx'})"
    elif node.op_type == "TopK":
        if given.get("sorted", 1) != 1 or given.get("axis", -1) not in (-1, 0, 1):
            yield f"expected sorted = 1, found {given}"
        if node.input[1] not in constants:
            yield "expected a constant K"
        elif (top := int(numpy_helper.to_array(constants[node.input[1]]).item())) >= MOST_TOP:
            yield f"expected K below {MOST_TOP}, found {top}"
    elif node.op_type == "RoiAlign":
        # Left out, OpenVINO takes other values than ONNX says.
        lacking = {"sampling_ratio", "mode", "coordinate_transformation_mode"} - set(given)
        if lacking:
            yield f"expected {', '.join(sorted(lacking))} to be written out"
        elif (given["mode"], given["coordinate_transformation_mode"]) != (b"avg", b"half_pixel"):
            yield f"expected mode avg and half_pixel, found {given}"
    elif node.op_type == "Resize":
        mode = given.get("mode", b"nearest").decode()
        place = given.get("coordinate_transformation_mode", b"half_pixel").decode()
        if place not in COORDINATES.get(mode, ()):
            yield f"expected one of {COORDINATES}, found {mode}, {place}"
    elif node.op_type in ("Reshape", "Expand", "Slice", "Pad", "Squeeze", "Unsqueeze"):
        free = [name for name in node.input[1:] if name and name not in constants]
        if free:
            yield f"expected constants, {', '.join(free)} depends on the image"


def _of_tensor(value: onnx.ValueInfoProto, allowed: frozenset[int]) -> Iterator[str]:
    kind = value.type.tensor_type
    if kind.elem_type not in allowed:
        yield f"{value.name}: {helper.tensor_dtype_to_string(kind.elem_type)} is not shared"
    if any(not size.HasField("dim_value") for size in kind.shape.dim):
        yield f"{value.name}: its size is not fixed"


def _of_quantisation(nodes: Any, constants: dict[str, TensorProto]) -> Iterator[str]:
    for node in nodes:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            yield f"{node.op_type} {node.name}: expected a constant zero point of int8"
        elif zero.data_type != TensorProto.INT8 or numpy_helper.to_array(zero).any():
            kind = helper.tensor_dtype_to_string(zero.data_type)
            yield f"{node.op_type} {node.name}: TensorRT takes int8 with zero point 0, found {kind}"


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}
